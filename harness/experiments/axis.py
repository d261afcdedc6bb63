"""What a search for a capacity raises until the objective breaks."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.core import settings as config
from harness.core.settings import RunSettings
from harness.experiments.attempt import Attempt


class Over(StrEnum):
    """What is raised until the objective breaks. The other one stays as it is in the settings."""

    RATE = "rate"  # messages per second of all members together
    MEMBERS = "members"

    @property
    def unit(self) -> str:
        return "messages/s" if self is Over.RATE else "members"

    @property
    def least(self) -> float:
        return 1.0 if self is Over.RATE else float(config.MEMBERS_MIN)

    @property
    def most(self) -> float:
        return config.RATE_MAX_PER_S if self is Over.RATE else float(config.MEMBERS_MAX)

    def of(self, run: RunSettings | Attempt) -> float:
        """The load of that run."""
        return run.rate_per_s if self is Over.RATE else float(run.members)

    def applied(self, settings: RunSettings, load: float) -> RunSettings:
        if self is Over.RATE:
            return msgspec.structs.replace(settings, rate_per_s=load)
        return msgspec.structs.replace(settings, members=round(load))

    def rounded(self, load: float) -> float:
        """The load with four significant digits: rungs of the ladder stay apart, and one reads them easily."""
        return float(f"{load:.4g}") if self is Over.RATE else float(round(load))
