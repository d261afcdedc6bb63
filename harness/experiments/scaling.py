"""How the limit of an architecture grows with its gateways."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from harness.analysis.holding import Estimate
from harness.analysis.usl import LIMITS_MIN, NotFitted, Usl, fit_usl

ROUGH = 3.0  # an interval of a limit that is known only roughly reaches up to more than so many times its lower end


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """The law that the limits of an architecture follow, or why none was fitted."""

    arch: str
    usl: Usl | None = None
    not_fitted: str | None = None


def scaling_of(arch: str, own: Mapping[int, Estimate], others: Sequence[int]) -> Scaling:
    """The law that follows from the architecture's own limits, by their numbers of gateways.

    A limit that is known only roughly is left out. With `others` something else was the limit, such as the machine, or
    no limit is known.
    """
    rough = [number for number, limit in own.items() if is_rough(limit)]
    own = {number: limit for number, limit in own.items() if number not in rough}
    others = [*others, *rough]
    try:
        return Scaling(arch=arch, usl=fit_usl(own))
    except NotFitted as problem:
        if not others or len(own) >= LIMITS_MIN:
            return Scaling(arch=arch, not_fitted=str(problem))
        numbers = ", ".join(map(str, sorted(others)))
        plural = "" if list(others) == [1] else "s"
        missing = f"its own limit with {numbers} gateway{plural} is not known well, and a fit takes {LIMITS_MIN} limits"
        return Scaling(arch=arch, not_fitted=missing)


def is_rough(limit: Estimate) -> bool:
    """Whether a limit is known only roughly, as after two or three runs: what is computed from it would be a guess."""
    return limit.high > ROUGH * limit.low


def ratio_of(limit: Estimate, first: Estimate) -> Estimate:
    """How many times the first limit the other one is; the two were estimated from different runs."""
    up, down = (
        math.hypot(math.log(one.high / one.value), math.log(other.value / other.low))
        for one, other in ((limit, first), (first, limit))
    )
    value = limit.value / first.value
    return Estimate(value=value, low=value / math.exp(down), high=value * math.exp(up))
