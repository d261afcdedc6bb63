"""What is compared unless said otherwise: every way to do it for real. The controls are left out."""

CANDIDATES = ("plan1", "plan2", "redis", "kafka-redis", "kafka-broadcast")
