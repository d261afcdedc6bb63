"""Plain locustfiles, each the shape of somebody's chat."""
