"""Plain locustfiles, each modelled on one kind of real chat."""
