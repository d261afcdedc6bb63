"""One live stream: few talk, all listen.

Whose chat: the audience of a streamer, a goal in a football match, a town hall. One in twenty talks.
What it stresses: the fan-out. Each message is delivered to every member, so deliveries are members x messages.
"""

from locust import task

from harness.load.member import Member


class Viewer(Member):
    def on_start(self) -> None:
        self.join(f"stage-{self.room_number}")

    def rate_per_s(self) -> float:
        # At least two a room, so that with two gateways somebody talks on each.
        room_size = self.load.members // self.load.rooms
        talkers = min(room_size, max(2, room_size // 20))
        talks = self.place_in_room < talkers
        return self.load.rate_per_s / self.load.rooms / talkers if talks else 0.0

    @task
    def talk(self) -> None:
        self.say(self.text())
