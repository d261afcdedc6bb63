"""What people see of a run: the table and the charts."""
