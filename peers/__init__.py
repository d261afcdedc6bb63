"""Gateways of other projects, to compare with."""
