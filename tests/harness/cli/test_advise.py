"""`chatbench advise` with a log of real traffic, and with prices."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main
from harness.experiments.costs.advice import Advice

CHAT = ("--rooms", "100", "--members-per-room", "20", "--rate", "200")
PRICES = "vcpu_hour = 0.02\nmemory_gib_hour = 0.003\ndisk_gb_month = 0.1\ncross_zone_gb = 0.01\ncurrency = 'KRW'\n"


def chatbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["advise", *map(str, arguments)], env={"COLUMNS": "200"})


def advised(*arguments: str | Path) -> Advice:
    answer = chatbench(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return msgspec.json.decode(answer.stdout, type=Advice)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    file = tmp_path / "prices.toml"
    file.write_text(PRICES, encoding="utf-8")
    return file


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Ten rooms of twenty, in each of which somebody says 50 bytes every two seconds for two minutes; one bad row."""
    file = tmp_path / "chat.csv"
    rows = [f"{1_764_331_200 + 2 * at},room {room},member {at % 20},50,20" for at in range(60) for room in range(10)]
    file.write_text("\n".join(["ts,room,member,bytes,listeners", *rows, "soon,room 1,x,50,20"]), encoding="utf-8")
    return file


def test_the_example_of_prices_is_printed_filled_in_and_used(tmp_path: Path) -> None:
    example = chatbench("--prices-example")
    assert example.exit_code == 0
    file = tmp_path / "prices.toml"
    file.write_text(example.stdout, encoding="utf-8")
    refused = chatbench(*CHAT, "--prices", file)
    assert refused.exit_code == 2
    assert "vcpu_hour is not filled in" in refused.output
    file.write_text(example.stdout.replace('= ""', "= 1"), encoding="utf-8")
    assert advised(*CHAT, "--prices", file).money is not None


def test_each_line_of_the_cost_is_shown(prices: Path) -> None:
    answer = advised(*CHAT, "--prices", prices)
    assert answer.money is not None
    assert {each.arch for each in answer.money.monthly} == {cost.arch for cost in answer.costs}
    printed = chatbench(*CHAT, "--prices", prices).output
    for text in ("a month KRW (90 %)", "cheapest", "gateways-backends", "broker-broker", "730 h", "67% of the traffic"):
        assert text in printed


def test_without_prices_there_is_no_cost() -> None:
    assert advised(*CHAT).money is None
    assert "a month" not in chatbench(*CHAT).output


def test_a_log_gives_all_sizes(log: Path) -> None:
    answer = advised("--from", log, "--column", "time=ts")
    wish = answer.wish
    assert (wish.rooms, wish.members_per_room, wish.rate_per_s, wish.payload_bytes) == (10, 20.0, 5.0, 50)
    assert answer.trace is not None
    assert answer.trace.messages == 600
    printed = " ".join(chatbench("--from", log, "--column", "time=ts").output.split())
    assert "Left out of the log: 1 row: its time is neither ISO 8601 nor a number (line 602)." in printed
    assert (
        "5 in the busiest minute. This advice is for that minute, which begins at 2025-11-28 12:00:00 UTC." in printed
    )
    assert "10 of 20 have as many members, messages and deliveries as the rooms of the log." in printed


def test_texts_larger_than_any_message_are_named_as_those_of_the_log(tmp_path: Path) -> None:
    file = tmp_path / "chat.csv"
    file.write_text("time,room,member,bytes\n1,r,a,100000\n", encoding="utf-8")
    answer = chatbench("--from", file)
    assert answer.exit_code == 2
    assert "the mean text of the log has 97.7KiB, but a message has at most 64KiB" in answer.output
    assert advised("--from", file, "--payload", "100").wish.payload_bytes == 100


def test_options_take_precedence_over_the_log(log: Path) -> None:
    given = ("--rooms", "7", "--members-per-room", "30", "--rate", "9", "--payload", "100")
    wish = advised("--from", log, "--column", "time=ts", *given).wish
    assert (wish.rooms, wish.members_per_room, wish.rate_per_s, wish.payload_bytes) == (7, 30.0, 9.0, 100)


def test_members_from_the_command_line_leave_the_rooms_of_the_log(log: Path) -> None:
    wish = advised("--from", log, "--column", "time=ts", "--members-per-room", "30").wish
    assert (wish.rooms, wish.members_per_room) == (10, 30.0)


def test_a_hot_room_that_no_gateway_holds_rules_plan2_out_also_where_the_others_are_small(tmp_path: Path) -> None:
    file = tmp_path / "chat.csv"
    small = [f"{at / 10},room {at},member,2" for at in range(600)]
    hot = [f"{at},hot,member,20000" for at in range(60)]
    for rows, is_out in ((small, False), (small + hot, True)):
        file.write_text("\n".join(["time,room,member,listeners", *rows]), encoding="utf-8")
        answer = advised("--from", file)
        assert ("plan2" in answer.out) == is_out
    assert "20,000 members" in answer.out["plan2"]
    assert answer.wish.hottest_members_times * answer.wish.members_per_room == pytest.approx(20_000)
    assert answer.wish.hottest_rate_times * answer.wish.rate_per_s / answer.wish.rooms == pytest.approx(1, rel=0.02)


def test_without_listeners_it_says_that_sizes_are_lower_bounds(tmp_path: Path) -> None:
    file = tmp_path / "chat.csv"
    file.write_text("time,room,member\n1,r,a\n2,r,b\n3,r,c\n", encoding="utf-8")
    assert "lower bounds; --members-per-room takes precedence" in " ".join(chatbench("--from", file).output.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rooms", "1", "--rate", "1"), "--members-per-room is missing; give numbers, or a log of real traffic"),
        ((), "--rooms and --members-per-room and --rate are missing"),
        ((*CHAT, "--column", "time=ts"), "--column names a column of a log; name the log as well, with --from"),
        (("--from", "none.csv"), "--from 'none.csv' cannot be read"),
        ((*CHAT, "--prices", "none.toml"), "--prices 'none.toml' cannot be read"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    answer = chatbench(*arguments)
    assert answer.exit_code == 2
    assert says in " ".join(answer.output.split())
