"""What follows from measurements: contrasts, their uncertainty, and verdicts. Pure functions without I/O."""
