"""What is run from the command line; harness/cli/main.py puts it together."""
