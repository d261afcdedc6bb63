"""A curve of traffic: by how much more or less is said at each time of a day than on average."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UsageError

PEAK = 5.5  # times the mean
GOAL_H = 20.75
FADES_H = 0.05  # three minutes
HOURS = 24.0
MOMENTS_MAX = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the day, and the rate of messages there relative to the mean rate."""

    hour: float
    factor: float


def day_with_a_goal() -> list[Moment]:
    """A quiet night, a busy evening, and a goal at 20:45 that makes everybody write; the goal is the peak.

    The shape is invented. Its mean over time is 1, and its peak is PEAK times that.
    """
    halves = [number / 2 for number in range(int(2 * HOURS))]
    around = [GOAL_H + minutes / 60 for minutes in (-1, 0, 1, 2, 4, 7, 11)]
    hours = sorted({*halves, *around})
    usual = [Moment(hour, _usual(hour)) for hour in hours]
    goal = [Moment(hour, _goal(hour)) for hour in hours]
    # height * goal + usual, scaled to a mean of 1, is to be PEAK at the goal
    mean_usual, mean_goal = mean_factor(usual), mean_factor(goal)
    height = (PEAK * mean_usual - _usual(GOAL_H)) / (1 - PEAK * mean_goal)
    mean = mean_usual + height * mean_goal
    return [
        Moment(hour, (one.factor + height * more.factor) / mean)
        for hour, one, more in zip(hours, usual, goal, strict=True)
    ]


def _usual(hour: float) -> float:
    """Least at 4:30, most at about 20:00."""
    daily = 0.5 - 0.5 * math.cos(2 * math.pi * (hour - 4.5) / HOURS)
    return 0.15 + daily + 1.2 * math.exp(-(((hour - 20.5) / 1.8) ** 2))


def _goal(hour: float) -> float:
    return 0.0 if hour < GOAL_H else math.exp(-(hour - GOAL_H) / FADES_H)


def mean_factor(moments: Sequence[Moment]) -> float:
    """The mean over the day, where the curve is a straight line between two moments."""
    after = [*moments[1:], Moment(moments[0].hour + HOURS, moments[0].factor)]
    return sum((b.hour - a.hour) * (a.factor + b.factor) / 2 for a, b in zip(moments, after, strict=True)) / HOURS


def read_curve(path: Path) -> list[Moment]:
    """The moments of a CSV file with the columns `hour` and `factor`. Raises UsageError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            moments = [Moment(float(row["hour"]), float(row["factor"])) for row in csv.DictReader(lines)]
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} cannot be read: {problem}") from problem
    except (KeyError, TypeError, ValueError, csv.Error) as problem:
        raise UsageError(f"{path} needs a head `hour,factor` and two numbers in each line, such as 20.5,3") from problem
    moments.sort(key=lambda moment: moment.hour)
    hours = {moment.hour for moment in moments}
    if not 1 <= len(moments) <= MOMENTS_MAX or len(hours) < len(moments):
        raise UsageError(f"{path} has {len(moments)} lines; use 1 to {MOMENTS_MAX} of different hours")
    for moment in moments:
        if not (0 <= moment.hour < HOURS and 0 < moment.factor <= 1e4):
            raise UsageError(
                f"{path} has the line {moment.hour:g},{moment.factor:g}; hours are from 0 to under 24, factors above 0"
            )
    return moments
