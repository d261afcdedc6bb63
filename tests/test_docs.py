"""The documents agree with the code and the records."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from architectures.interface import Role
from harness.cli.main import main
from harness.core.faults import TARGETS
from harness.core.registry import architecture_names, candidates, load_architecture, named, peer_names, scenario_files
from harness.experiments.costs.components import CPU_COMPONENTS
from harness.experiments.costs.fit import Interval
from harness.experiments.costs.observations import read_points
from harness.experiments.costs.study import read_knowledge, read_validating
from harness.experiments.fault_matrix import Matrix, markdown
from harness.gateway.metrics import COUNTERS
from harness.report.decisions import decisions_of
from harness.report.verdict import CPU
from harness.results.frames import frames_of, read_records
from harness.runs.live_metrics import LiveMetrics
from harness.runs.record import read_summary
from tools.docs.architecture_page import page
from tools.docs.guide import GROWING, growing

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


def test_the_readme_can_be_read_in_four_minutes() -> None:
    for name in ("README.md", "README.ko.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 160
        assert len(text.split()) <= 1000


def test_every_architecture_and_scenario_has_its_place_in_the_documents() -> None:
    architectures, scenarios = (
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("architectures.md", "scenarios.md")
    )
    shown = {*architecture_names(), *peer_names()} - set(named(Role.CALIBRATION))
    assert all(f"\n## {name}\n" in architectures for name in shown)
    assert all(f"| `{name}` |" in scenarios for name in scenario_files())
    assert all(f"| `{name}` |" in README for name in candidates())


def test_commands_api_and_contract_are_shown_as_they_are() -> None:
    for name in ("commands", "api", "contract"):
        # In a process of its own: importing a scenario's page patches the process with gevent.
        made = subprocess.run(
            [sys.executable, "-m", f"tools.docs.{name}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        assert text == made, f"make it anew: python -m tools.docs.{name} > docs/{name}.md"


@pytest.mark.slow
@pytest.mark.parametrize("document", ["api.md", "data.md"])
def test_the_programs_that_are_shown_run(document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    programs = [
        code for code in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if "print(" in code
    ]
    assert programs
    for code in programs:
        answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        assert "plan1" in answer.stdout


def test_the_page_of_the_record_names_every_file_of_one() -> None:
    text = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
    files = (
        "summary.json",
        "messages.parquet",
        "timeseries.csv",
        "latency.hgrm",
        "latency.hdr",
        "locust_stats.csv",
        "manifest.json",
    )
    for name in (*files, "charts/", "frames/", "report.html"):
        assert f"| `{name}` |" in text


def reference(part: str) -> pd.DataFrame:
    runs = frames_of(read_records([ROOT / "results" / "reference" / part])).runs
    assert (runs["status"] == "complete").all()
    assert (runs.groupby("arch")["round"].max() >= 3).all()
    of_others = runs[runs["arch"] != "channels"]  # what is said of that one has a test of its own
    assert of_others["driver_valid"].all()
    assert of_others[["lost", "duplicated", "reordered"]].to_numpy().sum() == 0
    return runs


@pytest.mark.slow
def test_the_reference_comparison_shows_what_is_claimed_of_the_five() -> None:
    for part, gateways in (("big_room", 2), ("many_rooms", 4)):
        runs = reference(part)
        assert sorted(runs["arch"].unique()) == sorted(candidates())
        figures = runs.groupby("arch")[["kafka_records_per_message", "kafka_disk_bytes_per_message"]].mean()
        records, disk = figures["kafka_records_per_message"], figures["kafka_disk_bytes_per_message"]
        assert records["plan1"] == gateways
        assert (records[["plan2", "kafka-redis", "kafka-broadcast"]] == 1).all()
        assert disk["plan1"] == pytest.approx(gateways * disk["plan2"], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["peers_big_room", "peers_many_rooms"])
def test_what_the_comparison_says_of_the_peers_is_so(part: str) -> None:
    runs = reference(part)
    assert set(runs["arch"]) == {"plan1", "redis", *peer_names()}
    records = read_records([ROOT / "results" / "reference" / part])
    (decision,) = decisions_of(frames_of(records), records)
    fixed, marginal = (figure.values for figure in decision.figures[:2])
    assert marginal["redis"] < marginal["socketio"] < marginal["python-socketio"]
    assert min(marginal, key=lambda name: marginal[name]) == "redis"
    spread = runs.groupby("arch")["spread_p50_ms"].mean()
    assert all(spread[name] > 1.5 * spread["redis"] for name in peer_names())
    lost = runs.groupby("arch")["lost"].sum()
    assert (lost.drop("channels") == 0).all()
    if part == "peers_big_room":
        assert lost["channels"] == 0
        assert marginal["python-socketio"] == pytest.approx(1.6 * marginal["socketio"], rel=0.05)
        assert marginal["socketio"] > 2 * marginal["redis"]
        assert marginal["plan1"] == pytest.approx(marginal["socketio"], rel=0.05)
        assert max(marginal, key=lambda name: marginal[name]) == "channels"
        assert fixed["socketio"] > max(fixed["channels"], fixed["python-socketio"])
        sent_by_redis = runs.groupby("arch")["redis_bytes_out_per_message"].mean()
        assert sent_by_redis["channels"] > 20 * sent_by_redis.drop("channels").max()
    else:
        assert lost["channels"] > 0
        assert max(marginal["socketio"], marginal["python-socketio"]) < marginal["plan1"]
        p50 = runs.groupby("arch")["latency_p50_ms"].mean()
        assert p50[["socketio", "python-socketio"]].max() < p50["plan1"]


@pytest.mark.slow
def test_what_the_comparison_says_of_the_storm_is_so() -> None:
    runs = reference("reconnect_storm")
    totals = runs.groupby("arch")[["returns", "away", "missed"]].sum()
    keepers = totals.drop("redis")
    assert (keepers["missed"] == 0).all()
    assert (keepers["away"] / keepers["returns"]).between(230, 250).all()
    forgetful = totals.T["redis"]
    assert forgetful["missed"] > 0.999 * forgetful["away"]
    calm = reference("no_storm")
    assert set(calm["arch"]) == set(keepers.index)
    by_round = [each.set_index(["arch", "round"]) for each in (runs, calm)]
    spent_us, spent_us_calm = (each[CPU] * each["delivered"] for each in by_round)
    more_ms = (spent_us - spent_us_calm) / 1_000 / by_round[0]["returns"]
    assert more_ms.dropna().groupby("arch").median().between(1, 3).all()
    caught_up = runs.groupby("arch")["caught_up_p50_ms"].mean()
    assert caught_up["redis-streams"] < caught_up.drop(["redis", "redis-streams"]).min() / 9


@pytest.mark.parametrize(
    "document",
    sorted(str(path.relative_to(ROOT)) for folder in (ROOT, ROOT / "docs") for path in folder.glob("*.md")),
)
def test_links_inside_the_project_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for path, _, anchor in re.findall(r"\]\((?!https?://)([^)#]*)(#?)([^)]*)\)", text):
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What a heading is found by, as it is made on the web: its words in lower case, with hyphens between them."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)">', text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(named)


def test_the_page_of_the_architectures_is_what_their_modules_say() -> None:
    text = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    assert text == page(), "make it anew: python -m tools.docs.architecture_page > docs/architectures.md"


def test_no_committed_file_names_a_package_registry() -> None:
    registries = ("pypi" + ".org", "pythonhosted" + ".org", "repo1.maven" + ".org", "repo.maven" + ".apache")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        text = (ROOT / name).read_bytes().decode(errors="ignore")
        assert not any(registry in text for registry in registries), name


def test_the_matrix_of_faults_shown_is_the_reference_and_breaks_no_promise() -> None:
    folder = ROOT / "results" / "reference" / "faults"
    matrix = msgspec.json.decode((folder / "faults.json").read_bytes(), type=Matrix)
    assert (folder / "faults.md").read_text(encoding="utf-8") == markdown(matrix)
    assert {cell.arch for cell in matrix.cells} == set(candidates())
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    for cell in matrix.cells:
        assert cell.held is not False, cell
        # What is promised only since those records were made is shown there as it was.
        assert not cell.promised or cell.fault in load_architecture(cell.arch).promises.survives, "no longer declared"
        summary = read_summary(folder / str(cell.record))
        assert summary.faults[0].normal_ms == cell.normal_ms
    for action, targets in TARGETS.items():
        assert all(f"`{action}:{target}`" in text for target in targets)


def test_what_the_guide_says_of_what_was_measured_is_so() -> None:
    runs = ROOT / "results" / "reference" / "costs" / "runs"
    points = pd.concat([read_points([runs / "fitted"]), read_validating(runs)])
    points["cpu"] = points[[part.column for part in CPU_COMPONENTS]].sum(axis="columns")
    load = ["gateways", "rooms", "members", "tick_s", "rate_per_s"]
    one_broker = points[points["replicas"] == 1]
    cpu, p50_ms = (
        one_broker.pivot_table(index=load, columns="arch", values=each) for each in ("cpu", "latency_p50_ms")
    )
    assert f"In {(cpu.idxmin(axis='columns') == 'redis').sum()} of the {len(cpu)} loads that we measured" in GUIDE
    assert f"up to {cpu.index.get_level_values('gateways').max()} gateways" in GUIDE
    assert (p50_ms.dropna().idxmin(axis="columns") == "redis").all()


def test_what_the_guide_says_of_more_gateways_is_more_than_the_uncertainty() -> None:
    model = read_knowledge().model

    def ratio(chat: str, gateways: int, one: str, other: str) -> Interval:
        size = growing(chat, gateways)
        cores = {arch: model.predict_all(CPU_COMPONENTS, arch, size.on(gateways)) for arch in (one, other)}
        return (cores[one] / cores[other]).interval

    small, larger = GROWING
    assert all(ratio(chat, each, "plan1", "kafka-broadcast").low > 1 for chat in GROWING for each in (4, 8, 16))
    assert (
        ratio(small, 4, "kafka-redis", "kafka-broadcast").low
        < 1
        < ratio(small, 4, "kafka-redis", "kafka-broadcast").high
    )
    assert all(ratio(small, each, "kafka-redis", "kafka-broadcast").high < 1 for each in (8, 16))
    assert ratio(larger, 8, "kafka-redis", "kafka-broadcast").high > 1
    assert ratio(larger, 16, "kafka-redis", "kafka-broadcast").high < 1
    others = ("plan1", "kafka-broadcast", "kafka-redis")
    assert all(ratio(chat, each, "plan2", other).high < 1 for chat in GROWING for each in (8, 16) for other in others)


@pytest.mark.parametrize("document", ["docs/cookbook.md", "docs/hosts.md"])
def test_commands_that_need_other_hosts_are_as_the_command_line_takes_them(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = [line.partition("chatbench ")[2] for block in blocks for line in block.splitlines() if _is_command(line)]
    assert shown
    for line in shown:
        name, *arguments = shlex.split(line)
        command = main.commands[name]
        command.make_context(name, arguments)


def _is_command(line: str) -> bool:
    return re.match(r"(CHATBENCH_\w+=\S+( rand -hex 16\))? )?chatbench ", line) is not None


def test_every_metric_is_told_of() -> None:
    text = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
    families = {metric.name.removeprefix("chatbench_driver") for metric in LiveMetrics().registry.collect()}
    families |= {f"_{name}" for name, _help in COUNTERS.values()} | {"_members", "_rooms", "_events"}
    assert not {family for family in families if family not in text}
