"""Measuring: latency histograms, CPU time and memory per component, clocks, and whether the driver kept up."""
