"""What is measured: latency histograms, CPU time per component, the brokers' own counters."""
