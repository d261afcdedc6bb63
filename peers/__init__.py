"""Chat gateways of other projects, for comparison."""
