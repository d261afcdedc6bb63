"""The public API of chatbench."""
