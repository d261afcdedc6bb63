"""A goal: for a few seconds many members join, and everybody talks.

Whose chat: a match, an election night, a product launch. Most of the time, half of the members are present and send
one twentieth of the full rate. During the goal, all are present and all talk.
What it stresses: components that were sized for the average. Watch the latency over time, and how long it takes to
fall again. `--rate` is the rate during the goal; `--set goal_after_s=10 --set goal_s=10` set its start and length.
"""

from locust import task

from chatbench.locust import Member, Shape

QUIET = 0.05  # as a share of the goal's rate


class Fan(Member):
    options = {"goal_after_s": 10.0, "goal_s": 10.0}
    option_ranges = {"goal_after_s": (0, 86_400), "goal_s": (0, 86_400)}
    cycle = ("goal_after_s", "goal_s")

    def on_start(self) -> None:
        self.join(f"match-{self.room_number}")

    def activity(self, elapsed_s: float) -> float:
        began_s = elapsed_s - self.option("goal_after_s")
        return 1.0 if 0 <= began_s < self.option("goal_s") else QUIET

    @task
    def talk(self) -> None:
        self.say(self.text())


class Goal(Shape):
    def tick(self) -> tuple[int, float]:
        began_s = self.elapsed_s - self.option("goal_after_s")
        goal = 0 <= began_s < self.option("goal_s")
        members = self.load.members
        return (members if goal else members - members // 2), members
