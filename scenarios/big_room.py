"""One live stream: a few members talk, and all listen.

Whose chat: the audience of a streamer, of a football match, of a town hall. One in twenty members talks.
What it stresses: the fan-out. Each message is delivered to every member, so there are members x messages deliveries.
"""

from locust import task

from chatbench.locust import Member


class Viewer(Member):
    def on_start(self) -> None:
        self.join(f"stage-{self.room_number}")

    def rate_per_s(self) -> float:
        return self.rate_of_few(one_in=20)

    @task
    def talk(self) -> None:
        self.say(self.text())
