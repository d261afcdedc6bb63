"""Predict the cost of each architecture at any size, from unit costs that are fitted to measured runs."""
