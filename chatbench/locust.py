"""What a locustfile imports: the member of a chat, and a load shape.

    from chatbench.locust import Member, Shape

Importing it is what makes a file a scenario, also for plain `locust -f`: Locust then starts services and an audience.
"""

from __future__ import annotations

import locust

from harness.load.locust_plugin import install
from harness.load.member import Member, Shape

__all__ = ["Member", "Shape"]

install(locust.events)
