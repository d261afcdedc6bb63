"""Commands that make many runs: comparisons, capacity, faults, claims and costs."""
