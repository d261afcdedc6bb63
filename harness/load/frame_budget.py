"""Checks that no member must send more frames per second than the gateways accept from one member."""

from __future__ import annotations

import math

from harness.core.errors import LoadTooFast
from harness.core.units import number_text
from harness.gateway.settings import frames_of
from harness.ipc import messages as msg

ROUNDING = 1e-6  # a scaled rate may come out slightly above the requested one


def check_frames(load: msg.Load, frames_per_s: float, busiest_per_s: float | None = None) -> None:
    """Raise LoadTooFast if gateways that accept `frames_per_s` from one member would close the busiest member.

    `busiest_per_s` is that member's messages per second; None: not known, so the average over all members is used,
    which is the least it can be.
    """
    each_per_s = load.rate_per_s / load.members if busiest_per_s is None else busiest_per_s
    times = each_per_s * frames_of(load.payload_bytes) / frames_per_s
    if times <= 1 + ROUNDING:
        return
    sender = "each member" if busiest_per_s is None else "the busiest member"
    too_much = (
        f"with --rate {number_text(load.rate_per_s)} and --members {load.members:,}, {sender} sends "
        f"{times * frames_per_s:,.0f} frames per second, but these gateways close a member that sends more than "
        f"{frames_per_s:,.0f}"
    )
    rate = f"a --rate of {_down(load.rate_per_s / times * (1 + ROUNDING))} or less"
    if busiest_per_s is None:
        members = math.ceil(load.members * times * (1 - ROUNDING))
        raise LoadTooFast(f"{too_much}; use --members {members:,} or more, or {rate}")
    raise LoadTooFast(f"{too_much}; use {rate}, or more --members, so that more of them talk")


def _down(rate_per_s: float) -> str:
    """Return the rate as text, rounded down if it is 1 or more."""
    return f"{math.floor(rate_per_s):,}" if rate_per_s >= 1 else f"{rate_per_s:g}"
