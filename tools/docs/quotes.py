"""Updates the documents' quotes of results/reference, which stand between markers.

    <!-- quote: comparison big_room -->
    ...
    <!-- end of quote -->

python -m tools.docs.quotes
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.core.units import figure_text
from harness.experiments.capacity import FOUND, Capacity, Search
from harness.experiments.claims.claim import Claim, Judgement
from harness.experiments.claims.study import judge
from harness.experiments.costs import advice
from harness.experiments.costs.advice import Knowledge, Wish
from harness.experiments.costs.components import CPU_COMPONENTS
from harness.experiments.costs.latency_validation import LatencyAccuracy
from harness.experiments.costs.study import read_knowledge
from harness.experiments.costs.validation import HeldOutAccuracy
from harness.experiments.fault_matrix import Matrix
from harness.experiments.fault_matrix import markdown as matrix_markdown
from harness.ledger.passages import in_order
from harness.report.advice import advice_table, latency_notes
from harness.report.advice_text import advice_lines
from harness.report.capacity import half_text, limit_text, most_deliveries_per_s
from harness.report.cells import number_cell
from harness.report.claims import sections, verdicts
from harness.report.comparison import Comparison, compare, split_by
from harness.report.costs import unit_cost_rows
from harness.report.decision import Decision
from harness.report.decision_text import MARKS_NOTE, decision_lines, decision_rows, load_text
from harness.report.decisions import decisions_of
from harness.report.fitting import Fitted
from harness.report.run import summary_table
from harness.report.section import beside_a_decision, figure_of, section_of
from harness.report.sensitivity import sensitivity_note, sensitivity_table
from harness.report.verdict import CPU
from harness.report.why_slower import why_slower
from harness.results.frames import METRICS, WORKLOAD, Frames, RunRecord, frames_of, read_records
from harness.results.stage_differences import stage_differences
from harness.runs.manifest import read_manifest
from harness.runs.record import read_summary, record_folders
from tools.docs import korean
from tools.docs.guide import NEEDS, choice_rows, durable, ratio_rows

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
QUOTING = ("capacity", "claims", "comparison", "cookbook", "cookbook.ko", "faults", "guide", "method", "record")
DOCUMENTS = (
    "README.md",
    "README.ko.md",
    *(f"docs/{name}.md" for name in QUOTING),
)
MARKED = re.compile(r"(<!-- quote: ([^\n]+?) -->\n).*?(<!-- end of quote -->)", re.DOTALL)
WIDE = 150
GIBI = 2**30


def quoted(text: str) -> str:
    """Return the document with current figures in every quote; raises KeyError for an unknown kind of quote."""
    return MARKED.sub(lambda found: f"{found[1]}\n{_quote(found[2])}\n\n{found[3]}", text)


def _quote(request: str) -> str:
    """Return the text of one quote; `request` is its kind and arguments, as in `comparison big_room`."""
    kind, *arguments = request.split()
    return "\n".join(KINDS[kind](*arguments)).strip()


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table whose first column is text and whose other columns are figures."""
    yield f"| {' | '.join(head)} |"
    yield f"| --- |{' ---: |' * (len(head) - 1)}"
    for row in body:
        yield f"| {' | '.join(row)} |"


def _printed(*what: Table | Fitted | Text) -> Iterator[str]:
    """Yield the text as a terminal shows it, without colours."""
    file = io.StringIO()
    console = Console(file=file, width=WIDE, color_system=None, force_terminal=False, markup=False)
    for each in what:
        console.print(each, highlight=False, soft_wrap=isinstance(each, Text))
    yield "```text"
    yield from (line.rstrip() for line in file.getvalue().rstrip().split("\n"))
    yield "```"


@cache
def _records(part: str) -> list[RunRecord]:
    return read_records([REFERENCE / part])


@cache
def _frames(part: str) -> Frames:
    return frames_of(_records(part))


@cache
def _decisions(part: str) -> list[Decision]:
    return list(decisions_of(_frames(part), _records(part)))


def _compared(part: str, rate: str | None = None) -> Comparison:
    """Return the comparison in that part of the reference; `rate` selects one if there are several."""
    workloads = list(split_by(_frames(part), WORKLOAD))
    if rate is not None:
        workloads = [each for each in workloads if each.runs["rate_per_s"].iloc[0] == float(rate)]
    (only,) = workloads
    return compare(only)


def _run(part: str, arch: str) -> Iterator[str]:
    """Yield the table of the architecture's first run in that part of the reference."""
    first = next(each for each in record_folders(REFERENCE / part) if read_manifest(each).settings.arch == arch)
    return _printed(summary_table(read_summary(first)))


def _comparison(part: str, rate: str | None = None) -> Iterator[str]:
    """Yield the table of what was checked and measured at one rate; where there is a decision, it has the costs."""
    compared = section_of(_compared(part, rate))
    if _decisions(part):
        compared = beside_a_decision(compared)
    rows = [
        [row.label, *(f"{cell.value}, {cell.small}" if cell.small else cell.value for cell in row.cells)]
        for row in compared.rows
    ]
    return _markdown(["", *compared.names], rows)


def _decision(part: str) -> Iterator[str]:
    """Yield the verdict, the table of all figures, and a sentence about each of them."""
    (decision,) = _decisions(part)
    verdict = decision.verdict
    yield f"**For this load: {verdict.choice}**, because {verdict.because[0]} {' '.join(verdict.because[1:])}"
    yield from verdict.out
    yield ""
    head, *body = decision_rows(decision)
    yield from _markdown(head, body)
    yield ""
    yield f"{MARKS_NOTE} {load_text(decision)}."
    yield ""
    yield from (f"- {line}" for line in decision_lines(decision))


def _replay(storms: str, calm: str) -> Iterator[str]:
    """Yield the table of what a member's return costs in each architecture; `calm` is the same load without storms."""
    keys, compared = ["arch", "round"], _compared(storms)
    runs = _frames(storms).runs.merge(_frames(calm).runs, on=keys, suffixes=("", "_calm"), validate="one_to_one")
    spent_us, spent_us_calm = runs[CPU] * runs["delivered"], runs[f"{CPU}_calm"] * runs["delivered_calm"]
    runs["more_ms"] = (spent_us - spent_us_calm) / 1000 / runs["returns"]
    body = []
    for arch, rounds in runs.groupby("arch"):
        caught_up = (_figure(compared, str(arch), f"caught_up_{quantile}_ms") for quantile in ("p50", "p99"))
        costs = (f"{rounds[column].mean():,.1f}" for column in (f"{CPU}_calm", CPU))
        low, middle, high = (f"{rounds['more_ms'].quantile(share):.1f}" for share in (0, 0.5, 1))
        body.append([str(arch), *caught_up, *costs, f"{middle} ({low} to {high})"])
    head = (
        *("", "time until caught up, p50, ms", "p99, ms"),
        *("CPU per delivery without storms, us", "with storms, us"),
        "extra CPU for each return, ms: median of the rounds (lowest to highest)",
    )
    return _markdown(head, body)


def _figure(compared: Comparison, arch: str, column: str) -> str:
    (metric,) = (each for each in METRICS if each.column == column)
    (contestant,) = (each for each in compared.architectures if each.arch == arch)
    return figure_of(contestant.figures[column], metric)


def _disk(part: str) -> Iterator[str]:
    """Yield the table of bytes on Kafka's disk at each rate, for plan1 and plan2 with as many partitions."""
    means = (
        _frames(part)
        .runs.groupby(["rate_per_s", "arch"])[["kafka_disk_bytes_per_message", "kafka_records_per_message"]]
        .mean()
    )
    body = []
    for rate in sorted(_frames(part).runs["rate_per_s"].unique()):
        one, other = (means.loc[(rate, arch)] for arch in ("plan1", "plan2"))
        bytes_one, bytes_other = (float(each["kafka_disk_bytes_per_message"]) for each in (one, other))
        record = bytes_one / float(one["kafka_records_per_message"])
        figures = (f"{bytes_one:,.0f}", f"{record:,.0f}", f"{bytes_other:,.0f}", f"{bytes_one / bytes_other:.2f}")
        body.append([f"{rate:,.0f}", *figures])
    head = (
        "messages/s",
        *("plan1, bytes per message", "plan1, bytes per record", "plan2, bytes per message and record"),
        "plan1 / plan2",
    )
    return _markdown(head, body)


def _stages(part: str) -> Iterator[str]:
    """Yield the stages of each architecture's typical message, and why the others are slower than the fastest."""
    stages = _frames(part).stages
    means = stages.groupby(["arch", "stage"], sort=False)["typical_ms"].mean().unstack("stage").fillna(0.0)
    names = in_order(means.columns)
    by_total = means.loc[means.sum(axis="columns").sort_values().index, names]
    body = [
        [str(arch), *(figure_text(ms) if ms else "" for ms in row), f"**{figure_text(row.sum())}**"]
        for arch, row in by_total.iterrows()
    ]
    yield from _markdown(["ms", *(name.replace("_", " ") for name in names), "in all"], body)
    yield ""
    yield from (f"- {why_slower(each)}" for each in stage_differences(stages))


def _capacity(part: str) -> Iterator[str]:
    found = _search(part)
    body = [
        [
            each.arch,
            half_text(each),
            number_cell(most_deliveries_per_s(each), ",.0f"),
            str(len(each.attempts)),
            limit_text(each),
        ]
        for each in found.capacities
    ]
    yield from _markdown(["", "one run in two holds at, messages/s", "most deliveries/s", "runs", "above that"], body)
    yield f"\n{found.fixed}, {found.objective}."


def _searched_twice(part: str, again: str) -> Iterator[str]:
    """The limits that two searches found for the same architectures, and whether their intervals overlap."""
    one, other = ({each.arch: each for each in _search(name).capacities} for name in (part, again))
    body = [
        [arch, half_text(one[arch]), half_text(other[arch]), _overlap(one[arch], other[arch])]
        for arch in one
        if arch in other
    ]
    yield from _markdown(["", "one search, messages/s", "another one", "the intervals overlap"], body)


def _overlap(one: Capacity, other: Capacity) -> str:
    if one.half is None or other.half is None:
        return "not known"
    return "yes" if one.half.low <= other.half.high and other.half.low <= one.half.high else "no"


def _search(part: str) -> Search:
    return msgspec.json.decode((REFERENCE / part / FOUND).read_bytes(), type=Search)


@cache
def _judged() -> list[tuple[Claim, Judgement]]:
    return judge(REFERENCE / "claims")


def _verdicts(page: str = "") -> Iterator[str]:
    return verdicts(_judged(), page)


def _verdicts_in_korean(page: str) -> Iterator[str]:
    yield "| | 주장 | 판정 |"
    yield "| --- | --- | --- |"
    for claim, judged in _judged():
        verdict = korean.VERDICTS[judged.verdict]
        yield f"| [{claim.id}]({page}#{claim.id.lower()}) | {korean.CLAIMS[claim.id]} | **{verdict}** |"


def _claims() -> Iterator[str]:
    return sections(_judged(), "../results/reference/claims/charts")


def _faults() -> Iterator[str]:
    yield matrix_markdown(msgspec.json.decode((REFERENCE / "faults" / "faults.json").read_bytes(), type=Matrix))


@cache
def _knowledge() -> Knowledge:
    return read_knowledge()


def _advise(*arguments: str) -> Iterator[str]:
    """Yield the answer of `chatbench advise` to these options."""
    advised = advice.advise(_wish(arguments), _knowledge())
    by_size = sensitivity_table(advised.sensitivity)
    notes = sensitivity_note(advised.sensitivity)
    return _printed(*advice_lines(advised), advice_table(advised), *latency_notes(advised), by_size, *notes)


def _wish(arguments: Sequence[str]) -> Wish:
    from harness.cli.advise import advise  # noqa: PLC0415 - the command line reads its own options

    options = advise.make_context("advise", list(arguments)).params
    return advice.checked(Wish(**{name: options[name] for name in Wish.__struct_fields__ if name in options}))


def _choices() -> Iterator[str]:
    """Yield the table of advice for each chat and each need."""
    return _markdown(["", *NEEDS], list(choice_rows(_knowledge())))


def _ratios() -> Iterator[str]:
    """Yield the table of how durable architectures compare on more and more gateways."""
    known = _knowledge()
    return _markdown(["each gateway adds", "gateways", *durable(known)], list(ratio_rows(known)))


def _held_out() -> Iterator[str]:
    head = ("predicted", "sizes", "runs", "shapes", "median error", "worst", "within the 90 % interval")
    known = _knowledge()
    accuracies: list[tuple[str, HeldOutAccuracy | LatencyAccuracy]] = [(each.what, each) for each in known.held_out]
    accuracies += [(f"latency, {each.what}", each) for each in known.latency_accuracy if each.runs]
    body = [
        (
            what,
            f"{each.range} the fitted",
            str(each.runs),
            str(each.shapes),
            *(f"{share:.1%}" for share in (each.median_error or 0.0, each.worst_error or 0.0)),
            f"{each.within or 0.0:.0%}",
        )
        for what, each in accuracies
    ]
    return _markdown(head, body)


def _identification() -> Iterator[str]:
    head = ("part", "condition number", "largest variance inflation", "slower machine")
    body = []
    for part in CPU_COMPONENTS:
        units = _knowledge().model.units[part.name]
        told = units.identification
        name, factor = told.largest
        body.append(
            (part.name, figure_text(told.condition), f"{figure_text(factor)}, {name}", f"{units.elasticity:.2f}")
        )
    return _markdown(head, body)


def _unit_costs() -> Iterator[str]:
    yield "| part | unit | cost |"
    yield "| --- | --- | --- |"
    for part, thing, costs in unit_cost_rows(_knowledge().model):
        yield f"| {part} | {thing} | {costs.replace(', ', '<br>')} |"


def _machine(part: str = ".") -> Iterator[str]:
    """Yield the machine and the versions with which that part of the reference was measured."""
    manifest = read_manifest(record_folders(REFERENCE / part)[0])
    host, versions = manifest.host, manifest.versions
    yield f"- {host['cores']} cores of {host['cpu']}, {host['memory_bytes'] / GIBI:.0f} GiB, {host['system']}"
    yield f"- Python {versions['python']}, Kafka {versions['kafka']}, commit {manifest.commit}"


def _made_of(part: str) -> Iterator[str]:
    """Yield the versions of each peer's packages, without those that all runs have in common."""
    manifests = [read_manifest(folder) for folder in record_folders(REFERENCE / part)]
    common = set.intersection(*(set(manifest.versions) for manifest in manifests))
    for arch, versions in sorted({each.settings.arch: each.versions for each in manifests}.items()):
        own = ", ".join(f"{name} {version}" for name, version in versions.items() if name not in common)
        if own:
            yield f"- `{arch}`: {own}"


KINDS: dict[str, Callable[..., Iterator[str]]] = {
    "run": _run,
    "comparison": _comparison,
    "decision": _decision,
    "replay": _replay,
    "disk": _disk,
    "stages": _stages,
    "capacity": _capacity,
    "searched-twice": _searched_twice,
    "verdicts": _verdicts,
    "verdicts-in-korean": _verdicts_in_korean,
    "claims": _claims,
    "faults": _faults,
    "advise": _advise,
    "choices": _choices,
    "unit-costs": _unit_costs,
    "held-out": _held_out,
    "ratios": _ratios,
    "identification": _identification,
    "machine": _machine,
    "made-of": _made_of,
}


def main() -> None:
    for name in DOCUMENTS:
        path = ROOT / name
        path.write_text(quoted(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
