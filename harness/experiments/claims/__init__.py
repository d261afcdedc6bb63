"""The claims of the design note, each with an experiment, a verdict and a figure."""
