"""Whether a load fits what gateways take from one member, and what is named where it does not."""

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


def test_what_would_be_right_is_named() -> None:
    check_frames(asking(rate_per_s=2_000), USUAL_PER_S)
    with pytest.raises(
        LoadTooFast,
        match=r"^--rate 4,000 with --members 2 makes 2,000 frames a second of each, and these gateways close whoever "
        r"sends more than 1,000; use --members 4 or more, or a --rate of 2,000 or less$",
    ):
        check_frames(asking(rate_per_s=4_000), USUAL_PER_S)


def test_a_long_message_counts_as_several() -> None:
    check_frames(asking(rate_per_s=117, payload_bytes=SIZE_MAX_BYTES), USUAL_PER_S)
    with pytest.raises(LoadTooFast, match=r"makes 1,700 frames a second of each.* a --rate of 117 or less"):
        check_frames(asking(rate_per_s=200, payload_bytes=SIZE_MAX_BYTES), USUAL_PER_S)


def test_where_few_talk_it_is_the_busiest_that_counts() -> None:
    asked = asking(members=10, rate_per_s=4_000)
    check_frames(asked, USUAL_PER_S)
    with pytest.raises(LoadTooFast, match=r"makes 2,000 frames a second of the busiest.*; use a --rate of 2,000 or"):
        check_frames(asked, USUAL_PER_S, busiest_per_s=2_000)


@given(
    members=st.integers(2, 1_000),
    rate_per_s=st.floats(0.1, config.RATE_MAX_PER_S),
    payload_bytes=st.integers(1, SIZE_MAX_BYTES),
)
def test_what_is_named_is_taken_and_gateways_of_a_runs_own_take_all(
    members: int, rate_per_s: float, payload_bytes: int
) -> None:
    own = limits_for(rate_per_s, payload_bytes).frames_per_s
    asked = asking(members, rate_per_s, payload_bytes)
    check_frames(asked, own, busiest_per_s=rate_per_s)
    check_frames(asked, ANY_LOAD.frames_per_s, busiest_per_s=rate_per_s)
    try:
        check_frames(asked, USUAL_PER_S)
    except LoadTooFast as told:
        named = re.search(r"--members ([\d,]+) or more, or a --rate of ([\d,]+) or less", str(told))
        assert named is not None
        check_frames(asking(int(named[1].replace(",", "")), rate_per_s, payload_bytes), USUAL_PER_S)
        check_frames(asking(members, float(named[2].replace(",", "")), payload_bytes), USUAL_PER_S)
