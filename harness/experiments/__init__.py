"""Commands of many runs: comparisons, capacity, faults, claims and costs."""
