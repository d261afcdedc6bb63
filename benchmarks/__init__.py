"""Benchmarks of chatbench itself: what the harness costs. Nothing here is a test; machines differ."""
