"""The command line: one module per command. harness/cli/main.py registers the commands."""
