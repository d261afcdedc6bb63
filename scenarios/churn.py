"""Coming and going: members join and leave all the time, and now and then many reconnect at once.

Whose chat: phones on a train, viewers who hop between streams. The storm is a Wi-Fi network or a proxy that restarts.
What it stresses: joins under load, and delivery to exactly the members in the room. One in ten members stays and
talks. The others stay for `stay_s` seconds on average, are away for `away_s` on average, and come back. Every `storm_s`
seconds, half of the members present lose their connections together and reconnect at once.
"""

import time

from locust import task

from chatbench.locust import Member


class Passenger(Member):
    options = {"stay_s": 5.0, "away_s": 1.0, "storm_s": 10.0}
    option_ranges = {"stay_s": (0.1, 86_400), "away_s": (0.001, 86_400), "storm_s": (0.1, 86_400)}
    cycle = ("storm_s",)

    @property
    def room(self) -> str:
        return f"carriage-{self.room_number}"

    def on_start(self) -> None:
        self.join(self.room)

    def rate_per_s(self) -> float:
        return self.rate_of_few(one_in=10)

    @task
    def live(self) -> None:
        if self.rate_per_s() > 0:
            self.say(self.text())
        else:
            self.come_and_go()

    def come_and_go(self) -> None:
        stay_s = self.random.expovariate(1 / self.option("stay_s"))
        storm_s = self.option("storm_s") - time.time() % self.option("storm_s")
        if self.index % 2 and storm_s < stay_s:
            time.sleep(storm_s)
            self.hang_up()
        else:
            time.sleep(stay_s)
            self.hang_up()
            time.sleep(self.random.expovariate(1 / self.option("away_s")))
        self.join(self.room)
