"""Who must get what, and what became of it: pure functions without I/O."""
