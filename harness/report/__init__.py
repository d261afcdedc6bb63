"""The output of runs: tables, charts and the HTML report."""
