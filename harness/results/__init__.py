"""Records as pandas frames."""
