"""What the processes of the driver tell each other."""
