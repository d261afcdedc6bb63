"""The classes that a locustfile imports: Member, a Locust user that chats, and Shape, the base of load shapes.

    from chatbench.locust import Member, Shape

This import makes a file a scenario, for plain `locust -f` too: Locust then starts services and an audience.
"""

from __future__ import annotations

import locust

from harness.load.locust_plugin import install
from harness.load.member import Member, Shape

__all__ = ["Member", "Shape"]

install(locust.events)
