"""The ledger: which deliveries were expected, and which of them came. All functions are pure."""
