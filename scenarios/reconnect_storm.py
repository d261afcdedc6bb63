"""Everybody back at once: all listeners lose their connections together, and return for the messages they missed.

Whose chat: viewers behind a proxy that restarts, a train that leaves a tunnel, an app that received a push message.
What it stresses: many joins at once, each of which asks for the messages since the last one that the member has seen.
One in ten members stays and talks. Every `storm_s` seconds, for the first time after half of that, all others hang up
and come back `away_s` later, spread over `within_s`, at a different gateway. An architecture that keeps no history
loses the messages sent in the meantime.
"""

import time

from locust import task

from chatbench.locust import Member

LOOK_S = 0.2


class Traveller(Member):
    options = {"storm_s": 10.0, "away_s": 2.0, "within_s": 0.5}
    option_ranges = {"storm_s": (0.1, 86_400), "away_s": (0, 86_400), "within_s": (0, 86_400)}
    cycle = ("storm_s", "away_s", "within_s")
    resumes = True

    @property
    def room(self) -> str:
        return f"train-{self.room_number}"

    def on_start(self) -> None:
        self.join(self.room)

    def rate_per_s(self) -> float:
        return self.rate_of_few(one_in=10)

    @task
    def live(self) -> None:
        if self.rate_per_s() > 0:
            self.say(self.text())
        else:
            self.wait_for_the_storm()

    def wait_for_the_storm(self) -> None:
        storm_s = self.option("storm_s")
        # In short sleeps, because phase_elapsed_s restarts at 0 when the next phase begins.
        while (until_s := (storm_s / 2 - self.phase_elapsed_s) % storm_s) > LOOK_S:
            time.sleep(LOOK_S / 2)
        time.sleep(until_s)
        self.hang_up()
        time.sleep(self.option("away_s") + self.random.uniform(0, self.option("within_s")))
        self.join(self.room)
