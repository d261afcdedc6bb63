"""A rising load: the rate grows evenly until the latency objective breaks.

Whose chat: none in particular. It is the quickest estimate of the limit; `chatbench capacity` measures it properly.
What it stresses: the component that saturates first. The rate reaches `--rate` after `ramp_s` seconds and stays there.
The load ends early when the 99th percentile of delivery latency exceeds `slo_ms` in two seconds in a row.
"""

from locust import task

from chatbench.locust import Member, Shape


class Speaker(Member):
    options = {"ramp_s": 30.0, "slo_ms": 200.0}
    option_ranges = {"ramp_s": (0.1, 86_400), "slo_ms": (0.1, 600_000)}
    cycle = ("ramp_s",)

    def on_start(self) -> None:
        self.join(f"stage-{self.room_number}")

    def rate_per_s(self) -> float:
        return self.rate_of_few(one_in=20)

    def activity(self, elapsed_s: float) -> float:
        return min(1.0, elapsed_s / self.option("ramp_s"))

    @task
    def talk(self) -> None:
        self.say(self.text())


class UntilTooSlow(Shape):
    too_slow_since: int | None = None

    def tick(self) -> tuple[int, float] | None:
        second = self.last_second
        if second is None or (second.latency_p99_ms or 0) <= self.option("slo_ms"):
            self.too_slow_since = None
        elif self.too_slow_since is None:
            self.too_slow_since = second.second
        elif second.second > self.too_slow_since:
            return None
        return self.load.members, self.load.members
