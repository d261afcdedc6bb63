"""Clients of Kafka, Redis and NATS that the architectures share."""
