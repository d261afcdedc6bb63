"""Rooms of very different popularity: a few are full, most are nearly empty.

Whose chat: public channels, game servers, the streams of one platform on an ordinary evening.
What it stresses: balance. Popularity follows Zipf's law (the n-th room has 1 / n^exponent of the first one's members),
so an architecture that places rooms by name overloads some partitions or gateways. `--set exponent=1.2` is steeper.
"""

from itertools import accumulate

from locust import task

from chatbench.locust import Member

ROOM_SIZE = 10  # on average


class Regular(Member):
    options = {"exponent": 1.0}
    option_ranges = {"exponent": (0, 10)}

    @classmethod
    def rooms_for(cls, members: int) -> int:
        return max(1, members // ROOM_SIZE)

    def on_start(self) -> None:
        popularity = list(accumulate(1 / n ** self.option("exponent") for n in range(1, self.load.rooms + 1)))
        share = (self.index + 0.5) / self.load.members % 1 * popularity[-1]
        number = next(number for number, reached in enumerate(popularity) if share <= reached)
        self.join(f"channel-{number}")

    @task
    def talk(self) -> None:
        self.say(self.text())
