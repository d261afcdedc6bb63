"""Redis clients for an architecture of your own: a publisher that keeps the order, and a subscriber with batches."""

from __future__ import annotations

from architectures.clients.redis import Publisher, Subscriber

__all__ = ["Publisher", "Subscriber"]
