"""One member speaks and the others listen. `chatbench selftest` uses it, because it must know what is said when."""

import time

from locust import task

from chatbench.locust import Member


class Voice(Member):
    option_ranges = {"burn_ms": (0, 60_000)}
    options = {"burn_ms": 0.0}  # CPU time that the driver wastes on each message, so that it falls behind on purpose

    def rate_per_s(self) -> float:
        return self.load.rate_per_s if self.index == 0 else 0.0

    def on_start(self) -> None:
        self.join("calibration")

    @task
    def talk(self) -> None:
        self.say(self.text())
        wasted_until_s = time.process_time() + self.option("burn_ms") / 1000
        while time.process_time() < wasted_until_s:
            pass
