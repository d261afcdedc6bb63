import re
from pathlib import Path

import pytest

from harness.core import registry
from harness.core.errors import UsageError


def test_a_name_that_is_nearly_right_gets_the_right_one_as_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean 'plan1'"):
        registry.load_architecture("plna1")
    with pytest.raises(UsageError, match="did you mean 'big_room'"):
        registry.find_scenario("bigroom")


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(UsageError, match=r"known: channels, direct, faulty, .*, plan1, plan2, .*, redis, "):
        registry.load_architecture("zzzzzz")


def test_what_only_chatbenchs_own_gateway_can_do_is_not_for_peers() -> None:
    assert registry.load_candidate("socketio").name == "socketio"
    with pytest.raises(UsageError, match=r"socketio brings its own gateway, .* use it with `chatbench run`"):
        registry.load_architecture("socketio")


def test_a_scenario_is_found_by_name_or_path(tmp_path: Path) -> None:
    assert registry.find_scenario("big_room").name == "big_room.py"
    own = tmp_path / "mine.py"
    own.write_text("")
    assert registry.find_scenario(str(own)) == own
    with pytest.raises(UsageError, match="no scenario file"):
        registry.find_scenario(str(tmp_path / "gone.py"))


@pytest.mark.parametrize("name", registry.scenario_files())
def test_every_scenario_says_whose_chat_it_is(name: str) -> None:
    path = registry.scenario_files()[name]
    assert registry.scenario_summary(path)
    text = path.read_text(encoding="utf-8")
    assert "Whose chat:" in text
    assert "What it stresses:" in text


SEEN = "from chatbench.locust import Member\nclass A(Member):\n    options = {'pace': 1.0}\n{more}"


@pytest.mark.parametrize(
    ("source", "given", "says"),
    [
        (SEEN.replace("{more}", ""), {"pase": "1"}, "the scenario mine has no option 'pase'; did you mean 'pace'"),
        (SEEN.replace("{more}", ""), {"pace": "fast"}, "must be a number, not 'fast'"),
        (SEEN.replace("{more}", ""), {"pace": "1e400"}, "must be a number, not '1e400'"),
        (SEEN.replace("{more}", "    option_ranges = {'pace': (0, 2)}\n"), {"pace": "3"}, "between 0 and 2, not 3"),
    ],
)
def test_a_wrong_option_is_seen_before_the_scenario_runs(
    tmp_path: Path, source: str, given: dict[str, str], says: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(UsageError, match=re.escape(says)):
        registry.check_scenario_options(path, given)


@pytest.mark.parametrize(
    "source",
    [
        SEEN.replace("{more}", "class B(A):\n    options = {'pase': 1.0}\n"),
        SEEN.replace("{more}", "    options = {**options, 'pase': 1.0}\n"),
        "from elsewhere import Base\nclass A(Base):\n    options = {'pace': 1.0}\n",
        "def f(:",
        "\0",
    ],
)
def test_what_only_running_the_scenario_can_tell_is_left_to_it(tmp_path: Path, source: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    registry.check_scenario_options(path, {"pase": "1"})


@pytest.mark.parametrize("name", registry.scenario_files())
def test_the_ranges_of_every_scenario_hold_its_defaults(name: str) -> None:
    path = registry.scenario_files()[name]
    defaults = registry.scenario_options(path)
    registry.check_scenario_options(path, {option: str(default) for option, default in defaults.items()})
    for option in defaults:
        with pytest.raises(UsageError, match="must be between"):
            registry.check_scenario_options(path, {option: "-400"})


@pytest.mark.parametrize(
    ("name", "given", "cycle_s", "has_shape"),
    [
        ("big_room", {}, 0, False),
        ("reconnect_storm", {}, 12.5, False),
        ("reconnect_storm", {"storm_s": "4"}, 6.5, False),
        ("reconnect_storm", {"storm_s": "soon"}, 0, False),
        ("churn", {}, 10, False),
        ("spike", {}, 20, True),
        ("ramp", {}, 30, True),
    ],
)
def test_how_long_a_scenario_takes_to_show_all_it_does_and_whether_it_changes_its_members(
    name: str, given: dict[str, str], cycle_s: float, has_shape: bool
) -> None:
    path = registry.find_scenario(name)
    assert registry.scenario_cycle_s(path, given) == cycle_s
    assert registry.scenario_has_shape(path) is has_shape


@pytest.mark.parametrize(
    "source",
    [
        "class A(",
        "class A(Member):\n    options = {}\n    cycle = ('gone_s',)\n",
        "class A(Member):\n    cycle = names_of(A)\n",
        "class A(Member):\n    cycle = 3\n",
    ],
)
def test_a_cycle_that_cannot_be_known_is_none(tmp_path: Path, source: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    assert registry.scenario_cycle_s(path, {}) == 0
    assert not registry.scenario_has_shape(path)


STORM = "class A(Member):\n    options = {'storm_s': 3.0, 'away_s': 1.0}\n"


@pytest.mark.parametrize(
    ("more", "cycle_s"),
    [
        ("    cycle: ClassVar[tuple[str, ...]] = ('storm_s', 'away_s')\n", 4),
        ("    cycle = ('storm_s',)\nclass B(Member):\n    cycle = ('storm_s',)\n", 3),
        ("    cycle = ('away_s',)\nclass B(Member):\n    cycle = ('storm_s',)\n", 3),
        ("    def chat(self):\n        cycle = ('storm_s',)\n", 0),
        ("    cycle: ClassVar[tuple[str, ...]]\n", 0),
    ],
)
def test_a_cycle_is_an_attribute_of_a_class_and_the_longest_counts(tmp_path: Path, more: str, cycle_s: float) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STORM + more)
    assert registry.scenario_cycle_s(path, {}) == cycle_s


@pytest.mark.parametrize("base", ["Shape", "LoadTestShape", "locust.LoadTestShape"])
def test_a_shape_is_recognized_by_its_base(tmp_path: Path, base: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"class Mine({base}):\n    pass\n")
    assert registry.scenario_has_shape(path)
