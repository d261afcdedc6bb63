"""One live stream: few talk, all listen.

Whose chat: the audience of a streamer, a goal in a football match, a town hall. One in twenty talks.
What it stresses: the fan-out. Each message is delivered to every member, so deliveries are members x messages.
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
