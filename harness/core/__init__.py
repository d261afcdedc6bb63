"""What every room uses: settings, the registry, faults, units, errors."""
