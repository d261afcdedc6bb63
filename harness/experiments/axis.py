"""What a search for a capacity raises until the objective breaks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from harness.core import settings as config
from harness.core.settings import RunSettings
from harness.experiments.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most that can be tried."""

    least: float
    most: float


class Over(StrEnum):
    """What is raised until the objective breaks. What it does not raise stays as it is in the settings."""

    RATE = "rate"  # messages per second of all members together
    MEMBERS = "members"
    ROOMS = "rooms"  # with as many members and messages in each as the settings have
    GATEWAYS = "gateways"  # the rate is raised, for each of several numbers of gateways

    @property
    def unit(self) -> str:
        return "messages/s" if self.is_rate else self.value

    @property
    def is_rate(self) -> bool:
        """Whether the load is a rate."""
        return self in {Over.RATE, Over.GATEWAYS}

    @property
    def axis_label(self) -> str:
        return "offered rate, messages/s" if self.is_rate else f"how many {self.value} ({self.value})"

    def bounds(self, settings: RunSettings) -> Bounds:
        if self.is_rate:
            return Bounds(1.0, config.RATE_MAX_PER_S)
        if self is Over.MEMBERS:
            return Bounds(float(config.MEMBERS_MIN), float(config.MEMBERS_MAX))
        members, rate_per_s = members_per_room(settings), rate_per_room(settings)
        return Bounds(
            float(-(-config.MEMBERS_MIN // members)),  # rounded up
            float(min(config.MEMBERS_MAX // members, config.RATE_MAX_PER_S // rate_per_s)),
        )

    def of(self, run: RunSettings | Attempt) -> float:
        """The load of that run."""
        if self.is_rate:
            return run.rate_per_s
        return float(run.members if self is Over.MEMBERS else run.rooms or 1)

    def applied(self, settings: RunSettings, load: float) -> RunSettings:
        if self.is_rate:
            return msgspec.structs.replace(settings, rate_per_s=load)
        if self is Over.MEMBERS:
            return msgspec.structs.replace(settings, members=round(load))
        rooms = round(load)
        return msgspec.structs.replace(
            settings,
            rooms=rooms,
            members=round(rooms * members_per_room(settings)),
            rate_per_s=rooms * rate_per_room(settings),
        )

    def rounded(self, load: float) -> float:
        """The load with four significant digits: rungs of the ladder stay apart, and one reads them easily."""
        return float(f"{load:.4g}") if self.is_rate else float(round(load))


def members_per_room(settings: RunSettings) -> float:
    return settings.members / (settings.rooms or 1)


def rate_per_room(settings: RunSettings) -> float:
    """In messages per second."""
    return settings.rate_per_s / (settings.rooms or 1)
