from pathlib import Path

import pytest

from harness import registry
from harness.errors import UsageError


def test_a_name_that_is_nearly_right_gets_the_right_one_as_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean 'plan1'"):
        registry.load_architecture("plna1")
    with pytest.raises(UsageError, match="did you mean 'big_room'"):
        registry.find_scenario("bigroom")


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(UsageError, match=r"known: channels, direct, faulty, .*, plan1, plan2, .*, redis, "):
        registry.load_architecture("zzzzzz")


def test_what_only_chatbenchs_own_gateway_can_do_is_not_for_peers() -> None:
    assert registry.load_contender("socketio").name == "socketio"
    with pytest.raises(UsageError, match=r"socketio is a gateway of its own, .* use it with `chatbench run`"):
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
