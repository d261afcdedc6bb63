"""Options that would have no effect together with others are refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from harness.cli import conflicts
from harness.cli.config_file import config_option
from harness.cli.main import main
from tools.docs.quotes import REFERENCE

CLAIMS, COSTS = REFERENCE / "claims", REFERENCE / "costs"
GATEWAY = ("gateway", "--arch", "plan1", "--kafka-bootstrap", "127.0.0.1:9")
PEERS = ("--peers", "ws://127.0.0.1:9,ws://127.0.0.1:10", "--place", "0")


def chatbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("claims", "--from", CLAIMS, "--rounds", "5"), "--from evaluates existing records and runs nothing; "),
        (("claims", "--from", CLAIMS, "--duration", "1s", "--seed", "2"), "leave --duration, --seed out"),
        (("claims", "--from", CLAIMS, "--resume", CLAIMS), "leave --resume out"),
        (("claims", "--resume", CLAIMS, "--claim", "C1"), "leave --claim out"),
        (("claims", "--claim", "C1", "--rounds", "5"), "C1 always takes one round; leave --rounds out"),
        (("costs", "--from", COSTS, "--warmup", "1s"), "leave --warmup out"),
        (("costs", "--from", COSTS, "--jvm-warmup", "1s", "--rounds", "2"), "leave --rounds, --jvm-warmup out"),
        (("costs", "--resume", COSTS, "--rounds", "2"), "leave --rounds out"),
        (("costs", "--rounds", "0"), "--rounds is 0"),
        (("costs", "--duration", "0"), "--duration is 0"),
        (("claims", "--rounds", "0"), "--rounds is 0"),
        (("compare", "--rounds", "0"), "--rounds is 0"),
        (("compare", "--resume", REFERENCE / "big_room", "--rate", "5"), "leave --rate out"),
        (("compare", "--arch", "redis", "--arch", "direct", "--partitions", "4"), "none of redis, direct uses Kafka"),
        (("compare", "--arch", "redis", "--arch", "direct", "--brokers", "3"), "leave --brokers out"),
        (("compare", "--arch", "plan1", "--arch", "plan2", "--redis-url", "redis://127.0.0.1:9"), "uses Redis"),
        (("compare", "--arch", "plan1", "--arch", "plan2", "--nats-url", "nats://127.0.0.1:9"), "uses NATS"),
        (("faults", "--arch", "redis", "--partitions", "4"), "none of redis uses Kafka"),
        (("faults", "--arch", "redis", "--brokers", "3"), "leave --brokers out"),
        (
            ("faults", "--arch", "redis", "--fault", "restart:redis", "--fault", "kill:broker"),
            "--fault kill:broker breaks nothing that these architectures have",
        ),
        (
            ("faults", "--arch", "redis", "--arch", "plan1", "--fault", "restart:redis"),
            "--arch plan1 has nothing that these faults break",
        ),
        (("run", "--arch", "direct", "--master-bind", "127.0.0.1:9"), "say how many: --expect-workers"),
        (("capacity", "--arch", "direct", "--master-bind", "127.0.0.1:9"), "say how many: --expect-workers"),
        (("capacity", "--arch", "redis", "--gateways", "1", "--gateways", "2"), "give --over gateways to compare"),
        (
            ("capacity", "--arch", "redis", "--over", "gateways", "--rate", "5"),
            "--over gateways raises the rate itself",
        ),
        (("capacity", "--arch", "redis", "--over", "rooms"), "--over rooms needs --rooms"),
        (("capacity", "--over", "gateways", "--gateways", "2", "--gateways", "2"), "--gateways names a number twice"),
        (("run", "--arch", "direct", "--processes", "2", "--expect-workers", "2"), "leave it out"),
        (("run", "--arch", "plan1", "--kafka-properties", "x"), "--kafka-bootstrap"),
        (("run", "--arch", "plan1", "--gateways-at", "ws://127.0.0.1:9", "--dedup"), "--gateways-at names others"),
        (("run", "--arch", "direct", "--partitions", "2"), "uses no Kafka; leave it out"),
        (("run", "--arch", "direct", "--redis-url", "redis://127.0.0.1:9"), "direct uses no Redis"),
        (("up", "--arch", "redis", "--partitions", "2"), "uses no Kafka; leave it out"),
        (("chat", "--arch", "redis", "--dedup"), "has no option 'dedup'"),
        (("ui", "--arch", "direct", "--duration", "5s"), "no such option '--duration'"),
        ((*GATEWAY, *PEERS, "--advertise", "ws://127.0.0.1:9"), "leave --advertise out"),
        ((*GATEWAY, *PEERS, "--gateways", "3"), "--peers names 2; leave it out"),
        (
            ("forget", "--kafka-bootstrap", "127.0.0.1:9", "--redis-url", "redis://127.0.0.1:9"),
            "no such option '--redis-url'",
        ),
    ],
)
def test_options_without_effect_are_refused(
    arguments: tuple[str | Path, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where --out is
    answer = chatbench(*arguments)
    assert answer.exit_code == 2, answer.output
    assert says in answer.stderr
    assert not list(tmp_path.rglob("*.json")), "nothing was begun"


def test_options_from_a_file_are_refused_too(tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text("brokers = 3\n")
    answer = chatbench("faults", "--arch", "redis", "--config", file)
    assert answer.exit_code == 2
    assert "leave --brokers out" in answer.stderr


@pytest.mark.parametrize("arguments", [[], ["--seed", "2"]])
def test_defaults_and_environment_variables_are_not_refused(arguments: list[str]) -> None:
    @click.command(context_settings={"default_map": {"rounds": 7}})
    @click.option("--rounds", type=int)
    @click.option("--seed", type=int)
    @click.option("--arch", envvar="CHATBENCH_ARCH")
    @config_option
    def shown(**_given: object) -> None:
        click.echo(conflicts.given())

    answer = CliRunner(env={"CHATBENCH_ARCH": "plan1"}).invoke(shown, arguments)
    assert answer.output == f"{arguments[:1]}\n"


def test_some_of_the_tested_claims_can_be_evaluated_again(tmp_path: Path) -> None:
    answer = chatbench("claims", "--from", CLAIMS, "--claim", "C6", "--claim", "C1", "--out", tmp_path)
    assert answer.exit_code == 0, answer.output
    page = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert next(line for line in page.splitlines() if line.startswith("## C")).startswith("## C1")
    assert "## C6" in page
    assert "## C2" not in page


def test_a_claim_that_was_not_tested_there_is_named_with_those_that_were(tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text('{"claims": ["C1", "C2"]}')
    answer = chatbench("claims", "--from", tmp_path, "--claim", "C6", "--out", tmp_path)
    assert answer.exit_code == 2
    assert f"--claim is C6, but {tmp_path} has tested C1, C2" in answer.stderr


@pytest.mark.parametrize("command", ["claims", "costs"])
def test_a_folder_that_no_study_made_is_refused_by_name(command: str, tmp_path: Path) -> None:
    for arguments in (
        (command, "--from", tmp_path),
        (command, "--resume", tmp_path),
        ("advise", "--rooms", "10", "--members-per-room", "5", "--rate", "10", f"--{command}", tmp_path),
    ):
        answer = chatbench(*arguments)
        assert answer.exit_code == 2
        assert str(tmp_path) in answer.stderr
        assert f"is not a folder that `chatbench {command}` made" in answer.stderr


def test_claims_without_the_replay_experiment_cannot_be_used_for_advice(tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text('{"claims": ["C1"]}')
    answer = chatbench("advise", "--rooms", "10", "--members-per-room", "5", "--rate", "10", "--claims", tmp_path)
    assert answer.exit_code == 2
    assert f"{tmp_path} has not measured what can be read after a restart" in answer.stderr
