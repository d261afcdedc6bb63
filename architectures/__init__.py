"""The candidate architectures, one module each; start with interface.py."""
