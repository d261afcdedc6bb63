"""`chatbench compare` and `chatbench report`, on a real Kafka and a real Redis."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from harness.report.comparison import Report
from tests.command_line import command, refusal
from tests.real.runs import CHATBENCH

FOUR = ("plan1", "plan2", "redis", "kafka-redis")
QUICK = ["--duration", "1s", "--warmup", "1s", "--members", "20", "--jvm-warmup", "5s"]


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CHATBENCH, "compare", *arguments], capture_output=True, text=True, check=False)


def only_folder_in(out: Path) -> Path:
    (folder,) = out.iterdir()
    return folder


def runs_in(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "frames" / "runs.parquet")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare")
    four = [argument for name in ("plan1", "plan2", "redis", "kafka-redis") for argument in ("--arch", name)]
    answer = compare(*four, "--rounds", "2", *QUICK, "--out", str(out))
    assert answer.returncode in (0, 4), answer.stderr
    assert "For this workload:" in answer.stdout
    assert "run 8 of 8: block 2, " in answer.stderr
    assert "warming: the brokers" in answer.stderr
    return only_folder_in(out)


def test_the_four_deliver_everything_once_and_in_order(campaign: Path) -> None:
    runs = runs_in(campaign)
    assert sorted(runs["arch"]) == sorted(2 * 2 * FOUR), "two blocks, and two rates in each"
    assert (runs["delivered"] == runs["expected"]).all()
    assert (runs[["lost", "duplicated", "reordered"]] == 0).all(axis=None)


def test_a_message_is_a_record_per_partition_or_one(campaign: Path) -> None:
    def of(arch: str, column: str) -> pd.Series[float]:
        runs = runs_in(campaign)
        return runs.loc[runs["arch"] == arch, column]

    records = "kafka_records_per_message"
    assert (of("plan1", records) == 2).all()
    assert (of("plan2", records) == 1).all()
    assert (of("kafka-redis", records) == 1).all()
    assert of("redis", records).isna().all()
    disk = "kafka_disk_bytes_per_message"
    assert of("plan1", disk).mean() == pytest.approx(2 * of("plan2", disk).mean(), rel=0.1)


def test_each_round_begins_with_another_one(campaign: Path) -> None:
    def order(number: int) -> list[str]:
        names = [
            re.sub(r"^\d+T\d+Z-|-big_room(-2)?$", "", each.name) for each in (campaign / f"round-{number}").iterdir()
        ]
        runs = runs_in(campaign)
        by_time = sorted(set(runs["record"]) & {each.name for each in (campaign / f"round-{number}").iterdir()})
        assert len(names) == len(by_time) == 8
        return list(dict.fromkeys(re.sub(r"^\d+T\d+Z-|-big_room(-2)?$", "", name) for name in by_time))

    assert order(1)[0] != order(2)[0]
    assert sorted(order(1)) == sorted(order(2)) == sorted(FOUR)


def test_a_round_has_one_load_and_the_next_another(campaign: Path) -> None:
    runs = runs_in(campaign)
    for _, at_rate in runs.groupby("rate_per_s"):
        sent = at_rate.groupby("seed")["sent"]
        assert (sent.nunique() == 1).all()
        assert sent.first().nunique() == 2


def test_the_fixed_and_the_marginal_cost_of_each_is_decided(campaign: Path) -> None:
    answer = command("report", campaign, "--json")
    (decision,) = msgspec.json.decode(answer.stdout, type=Report).decisions
    assert decision.rates_per_s == [50.0, 250.0]
    fixed = decision.figures[0]
    assert set(fixed.values) == set(FOUR)
    assert fixed.values["plan1"] > fixed.values["redis"] > 0, "a JVM and its clients are never idle"
    assert fixed.blocks == 2
    assert len([pair for pair in decision.pairs if pair.figure == fixed.name]) == 6
    warming = msgspec.json.decode((campaign / "warming.json").read_bytes())
    assert min(warming["cpu_us_per_message"]) > 0
    assert len(warming["compiler_share"]) == len(warming["cpu_us_per_message"]) > 1


def test_a_report_made_again_from_the_records_is_the_same(campaign: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(campaign, copy)
    for made in ("frames", "charts"):
        shutil.rmtree(copy / made)
    (copy / "report.html").unlink()
    answer = command("report", copy)
    assert answer.exit_code == 0, answer.stderr
    pd.testing.assert_frame_equal(runs_in(copy), runs_in(campaign))
    assert {each.name for each in (copy / "charts").iterdir()} == {
        each.name for each in (campaign / "charts").iterdir()
    }
    assert (copy / "report.html").stat().st_size > 50_000


def test_records_from_anywhere_can_be_reported_together(campaign: Path, tmp_path: Path) -> None:
    one, other = (str(next((campaign / "round-1").glob(f"*Z-{arch}-big_room"))) for arch in ("plan1", "redis"))
    answer = command("report", one, other, "--out", tmp_path / "both")
    assert answer.exit_code == 0, answer.stderr
    assert sorted(runs_in(tmp_path / "both")["arch"]) == ["plan1", "redis"]


def test_an_interrupted_comparison_goes_on_where_it_was(tmp_path: Path) -> None:
    quick = [
        "--arch",
        "direct",
        "--arch",
        "redis",
        "--rounds",
        "2",
        "--rate",
        "20",
        "--duration",
        "1s",
        "--warmup",
        "0s",
    ]
    with subprocess.Popen(
        [*CHATBENCH, "compare", *quick, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("run 3 of 4"):
                running.send_signal(signal.SIGINT)
                break
        said = running.stderr.read()
        assert running.wait(60) == 130
    folder = only_folder_in(tmp_path)
    assert f"resume with: chatbench compare --resume {folder}" in said
    before = complete_runs(folder)
    assert len(before) == 2
    answer = compare("--resume", str(folder), "--json")
    assert answer.returncode in (0, 4), answer.stderr
    told = msgspec.json.decode(answer.stdout, type=Report).comparisons
    rounds = {each.arch: each.rounds for compared in told for each in compared.architectures}
    assert rounds == {"direct": 2, "redis": 2}
    after = complete_runs(folder)
    assert set(before.items()) <= set(after.items()), "what was complete was not run again"
    assert len(after) == 4


def complete_runs(folder: Path) -> Mapping[str, float]:
    """Summaries of complete runs, and when they were written."""
    summaries = folder.glob("round-*/*/summary.json")
    return {str(each): each.stat().st_mtime for each in summaries if '"complete"' in each.read_text()}


HERE = str(Path(__file__).parent)  # a folder that no comparison made


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--arch", "plan1"], "at least two different architectures"),
        (["--arch", "plan1", "--arch", "plam2"], "did you mean 'plan2'"),
        (["--rounds", "0"], "--rounds is 0"),
        (["--resume", HERE, "--rounds", "5"], "leave --rounds, --out out"),
        (["--arch", "plan1", "--arch", "redis", "--partitions", "1"], "--partitions 2 or more"),
        (["--resume", HERE], "is not a folder that `chatbench compare` made"),
        (["--arch", "plan1", "--arch", "redis", "--rate", "0"], "--rate is 0"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_sentence(arguments: list[str], says: str, tmp_path: Path) -> None:
    out = [] if arguments == ["--resume", HERE] else ["--out", str(tmp_path)]
    assert says in refusal("compare", *arguments, *out)
    assert not list(tmp_path.iterdir()), "nothing was begun"
