"""What the load asks one member to send, against what gateways take from one."""

from __future__ import annotations

import math

from harness.core.errors import LoadTooFast
from harness.core.units import number_text
from harness.gateway.settings import frames_of
from harness.ipc import messages as msg

ROUNDING = 1e-6  # a rate that is scaled may come out a little above what was asked for


def check_frames(load: msg.Load, frames_per_s: float, busiest_per_s: float | None = None) -> None:
    """Raises LoadTooFast where gateways that take `frames_per_s` of one member would close the busiest.

    `busiest_per_s` is what that one says; None: not known, and as much as all do on average, at the least.
    """
    each_per_s = load.rate_per_s / load.members if busiest_per_s is None else busiest_per_s
    times = each_per_s * frames_of(load.payload_bytes) / frames_per_s
    if times <= 1 + ROUNDING:
        return
    too_much = (
        f"--rate {number_text(load.rate_per_s)} with --members {load.members:,} makes {times * frames_per_s:,.0f} "
        f"frames a second of {'each' if busiest_per_s is None else 'the busiest'}, and these gateways close whoever "
        f"sends more than {frames_per_s:,.0f}"
    )
    rate = f"a --rate of {_down(load.rate_per_s / times * (1 + ROUNDING))} or less"
    if busiest_per_s is None:
        members = math.ceil(load.members * times * (1 - ROUNDING))
        raise LoadTooFast(f"{too_much}; use --members {members:,} or more, or {rate}")
    raise LoadTooFast(f"{too_much}; use {rate}, or so many --members that more of them talk")


def _down(rate_per_s: float) -> str:
    return f"{math.floor(rate_per_s):,}" if rate_per_s >= 1 else f"{rate_per_s:g}"
