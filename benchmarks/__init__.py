"""Benchmarks of chatbench itself: the costs of the harness. None is a test, because machines differ."""
