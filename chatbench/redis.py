"""Clients of Redis for an architecture of your own: a publisher in order, a subscriber in batches."""

from __future__ import annotations

from architectures.clients.redis import Publisher, Subscriber

__all__ = ["Publisher", "Subscriber"]
