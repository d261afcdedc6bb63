"""Some members read too slowly: one in ten reads fewer bytes per second than the room sends.

Whose chat: every chat with members on poor networks.
What it stresses: the gateways' buffers, and whether slow members delay the others. Deliveries to a slow member are
checked but not timed. The gateway cuts off a member that falls too far behind, and this is counted. The default load
only fills buffers; with `--payload 4KiB --rate 200`, members are cut off. `--set slow_share=0.3` makes more slow ones.
"""

from locust import task

from chatbench.locust import Member


class Reader(Member):
    options = {"slow_share": 0.1, "slow_bytes_per_s": 1000.0}
    option_ranges = {"slow_share": (0, 1), "slow_bytes_per_s": (1, 1e9)}

    @property
    def slow(self) -> bool:
        share = self.option("slow_share")
        return int((self.index + 1) * share) > int(self.index * share)

    def on_start(self) -> None:
        self.join(f"hall-{self.room_number}")

    def read_bytes_per_s(self) -> float | None:
        return self.option("slow_bytes_per_s") if self.slow else None

    def rate_per_s(self) -> float:
        return self.rate_of_few(one_in=20)

    @task
    def talk(self) -> None:
        self.say(self.text())
