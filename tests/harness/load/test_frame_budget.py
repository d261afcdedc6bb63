"""A load that exceeds what gateways accept from one member is refused, with options that would fit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import settings as config
from harness.core.errors import LoadTooFast
from harness.core.payload import SIZE_MAX_BYTES
from harness.gateway.settings import ANY_LOAD, Limits, limits_for
from harness.ipc import messages as msg
from harness.load.frame_budget import check_frames

USUAL_PER_S = Limits().frames_per_s


def asking(members: int = 2, rate_per_s: float = 20.0, payload_bytes: int = 100) -> msg.Load:
    return msg.Load(
        members=members,
        rooms=1,
        rate_per_s=rate_per_s,
        payload_bytes=payload_bytes,
        payload_sizes="fixed",
        seed=1,
        options={},
    )


def test_the_error_names_options_that_would_fit() -> None:
    check_frames(asking(rate_per_s=2_000), USUAL_PER_S)
    with pytest.raises(
        LoadTooFast,
        match=r"^with --rate 4,000 and --members 2, each member sends 2,000 frames per second, but these gateways "
        r"close a member that sends more than 1,000; use --members 4 or more, or a --rate of 2,000 or less$",
    ):
        check_frames(asking(rate_per_s=4_000), USUAL_PER_S)


def test_a_long_message_counts_as_several() -> None:
    check_frames(asking(rate_per_s=117, payload_bytes=SIZE_MAX_BYTES), USUAL_PER_S)
    with pytest.raises(LoadTooFast, match=r"each member sends 1,700 frames per second.* a --rate of 117 or less"):
        check_frames(asking(rate_per_s=200, payload_bytes=SIZE_MAX_BYTES), USUAL_PER_S)


def test_if_few_members_talk_the_busiest_one_counts() -> None:
    asked = asking(members=10, rate_per_s=4_000)
    check_frames(asked, USUAL_PER_S)
    with pytest.raises(
        LoadTooFast, match=r"the busiest member sends 2,000 frames per second.*; use a --rate of 2,000 or"
    ):
        check_frames(asked, USUAL_PER_S, busiest_per_s=2_000)


@given(
    members=st.integers(2, 1_000),
    rate_per_s=st.floats(0.1, config.RATE_MAX_PER_S),
    payload_bytes=st.integers(1, SIZE_MAX_BYTES),
)
def test_the_options_named_in_the_error_fit_and_a_runs_own_gateways_accept_every_load(
    members: int, rate_per_s: float, payload_bytes: int
) -> None:
    own = limits_for(rate_per_s, payload_bytes).frames_per_s
    asked = asking(members, rate_per_s, payload_bytes)
    check_frames(asked, own, busiest_per_s=rate_per_s)
    check_frames(asked, ANY_LOAD.frames_per_s, busiest_per_s=rate_per_s)
    try:
        check_frames(asked, USUAL_PER_S)
    except LoadTooFast as problem:
        named = re.search(r"--members ([\d,]+) or more, or a --rate of ([\d,]+) or less", str(problem))
        assert named is not None
        check_frames(asking(int(named[1].replace(",", "")), rate_per_s, payload_bytes), USUAL_PER_S)
        check_frames(asking(members, float(named[2].replace(",", "")), payload_bytes), USUAL_PER_S)
