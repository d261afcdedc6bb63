"""Simulate a fleet that is larger than this machine, event by event, with service times from the cost model."""
