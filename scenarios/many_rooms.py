"""Many small rooms: groups of five in which everybody talks.

Whose chat: families, game parties, support tickets, teams.
What it stresses: the costs of rooms rather than of members: subscriptions, partitions, and copies sent to gateways
that have no member in the room.
"""

from locust import task

from chatbench.locust import Member

ROOM_SIZE = 5


class Friend(Member):
    @classmethod
    def rooms_for(cls, members: int) -> int:
        return max(1, members // ROOM_SIZE)

    def on_start(self) -> None:
        self.join(f"group-{self.room_number}")

    @task
    def talk(self) -> None:
        self.say(self.text())
