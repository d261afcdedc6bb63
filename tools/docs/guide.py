"""The chats and needs for which docs/guide.md shows the advice of `chatbench advise`."""

from __future__ import annotations

from harness.experiments.costs.advice import Wish

CHATS = {
    "A live stream: 1 room of 10,000, 20 msg/s": Wish(rooms=1, members_per_room=1e4, rate_per_s=20),
    "A huge live stream: 1 room of 1,000,000, 20 msg/s": Wish(rooms=1, members_per_room=1e6, rate_per_s=20),
    "Many streams: 1,000 rooms of 1,000, 2,000 msg/s": Wish(rooms=1000, members_per_room=1e3, rate_per_s=2000),
    "Channels: 1,000 rooms of 100, 500 msg/s": Wish(rooms=1000, members_per_room=100, rate_per_s=500),
    "Groups: 20,000 rooms of 5, 2,000 msg/s": Wish(rooms=20_000, members_per_room=5, rate_per_s=2000),
    "Many groups: 200,000 rooms of 5, 20,000 msg/s": Wish(rooms=200_000, members_per_room=5, rate_per_s=20_000),
}
NEEDS: dict[str, dict[str, bool]] = {
    "no special need": {},
    "acked messages survive a restart of the backend": {"durable": True},
    "messages can be read later": {"replay": True},
}
