"""What the rest of the harness builds on: settings, the registry, faults, units, errors."""
