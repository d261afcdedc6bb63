"""What each architecture costs at any size: unit costs fitted from measured runs, and predictions with intervals."""
