"""What is run from the command line; harness/cli.py puts it together."""
