"""`chatbench selftest`: compare what chatbench reports with errors of known size that were injected.

Each true value is computed here from the injected rules and the number of messages sent, and from nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from architectures.interface import Candidate, Role
from harness.analysis.ratio import ratio_of
from harness.core import settings as config
from harness.core.errors import Interrupted
from harness.core.progress import Progress
from harness.core.registry import SCENARIOS_DIR, load_architecture, named
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.validation import validate
from harness.runs.record import Record, new_folder
from harness.runs.run import run_on
from harness.runs.summary import Summary
from harness.runs.turn import Turn, run_turn
from harness.services.backends import Backends

FOUND = "selftest.json"
ONE_VOICE = SCENARIOS_DIR / "_one_voice.py"
MEMBERS = 10
COUNT_RULES = {"drop_every": 10.0, "repeat_every": 7.0, "swap_every": 9.0, "refuse_every": 13.0}
DELAYS_MS = (20.0, 200.0)
DELAY_ERROR_MAX_MS, DELAY_ERROR_MAX = 1.0, 0.01
STALL_MS, STALL_AT, STALL_RATE_PER_S, STALL_RUN_S = 500.0, 400, 400.0, 8.0
STALL_ERROR_MAX_MS = 5.0  # in addition to the random error of the model
ROUNDS = 10
SAME_IDLE_S = 1.0  # between the first measurement and the second
# Higher than the 95 % of reports: each of the two intervals misses the truth once in a hundred times.
SAME_CONFIDENCE = 0.99
BURN_MS = 20.0


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One figure that was checked. `held` is None if it could not be: this machine was too busy, or see `too_short`."""

    what: str
    injected: str
    reported: str
    error: str
    allowed: str
    held: bool | None
    too_short: bool = False  # it was not judged because there were too few messages, however fast the machine is


class Fates(msgspec.Struct, frozen=True):
    """The expected counts of messages for each member who receives them."""

    acked: int
    delivered: int
    lost: int
    lost_acked: int
    duplicated: int
    reordered: int


def fates(sent: int, rules: Mapping[str, float]) -> Fates:
    """The expected counts by the rules of architectures/faulty.py, if one member sends all messages."""

    def due(rule: str, number: int) -> bool:
        return number % int(rules[rule]) == 0

    received: list[int] = []
    refused, held = 0, None
    for number in range(1, sent + 1):
        if due("refuse_every", number):
            refused += 1
        elif due("drop_every", number):
            pass
        elif due("swap_every", number):
            received += [] if held is None else [held]
            held = number
        else:
            received += [number] * (2 if due("repeat_every", number) else 1)
            received += [] if held is None else [held]
            held = None
    received += [] if held is None else [held]
    firsts = list(dict.fromkeys(received))
    return Fates(
        acked=sent - refused,
        delivered=len(firsts),
        lost=sent - len(firsts),
        lost_acked=sent - len(firsts) - refused,
        duplicated=len(received) - len(firsts),
        reordered=sum(number < max(firsts[:place], default=0) for place, number in enumerate(firsts)),
    )


def stalled_ms(percentile: float, sent: int, rate_per_s: float, stall_ms: float) -> float:
    """That percentile of latency if the gateway stalls once for stall_ms and nothing else takes time.

    The load is open-loop: messages are sent during the stall and wait for its end. So the slowest (1 - percentile) of
    all messages are those sent first during the stall.
    """
    later = sent * (1 - percentile / 100)
    return max(0.0, stall_ms - 1000 * later / rate_per_s)


def stall_chance_ms(percentile: float, sent: int, rate_per_s: float) -> float:
    """Three standard deviations of stalled_ms, because messages arrive in a Poisson process."""
    return 3000 * math.sqrt(sent * (1 - percentile / 100)) / rate_per_s


def run_selftest(out: str, progress: Progress) -> Iterator[Check]:
    """Yield each check as soon as it is done. Raises ServiceFailed or Interrupted."""
    folder = new_folder(config.make_out_dir(out), "selftest")
    bench = _Bench(folder, progress)
    checks: list[Check] = []
    with signals_interrupt():
        try:
            for check in _all(bench):
                checks.append(check)
                (folder / FOUND).write_bytes(msgspec.json.format(msgspec.json.encode(checks)))
                yield check
        except Interrupted:
            raise Interrupted(str(folder)) from None


def _all(bench: _Bench) -> Iterator[Check]:
    yield from _counts(bench)
    yield from _delays(bench)
    yield from _stall(bench)
    yield _starved(bench)
    yield from _same(bench)


class _Bench:
    """Makes the runs, one after the other, each on gateways of its own."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress

    def run(self, name: str, arch_options: Mapping[str, float], **given: object) -> Summary:
        self._progress.step("selftest", name)
        settings, architecture = self._settled(arch_options, given)
        record = self._record(settings, architecture)
        with _backends(record, architecture) as backends:
            return run_on(backends, record, architecture, ONE_VOICE, _Silent()).summary

    def repeat(self, name: str, times: int, **given: object) -> list[Summary]:
        """Measure the same load so many times, with members and gateways that stay."""
        self._progress.step("selftest", name, total=times)
        settings, architecture = self._settled({}, given)
        records = [self._record(settings, architecture) for _ in range(times)]
        with _backends(records[0], architecture) as backends:
            turn = Turn(architecture, ONE_VOICE, records, SAME_IDLE_S)
            outcomes = run_turn(turn, backends, _Counted(self._progress, times))
        return [outcome.summary for outcome in outcomes]

    def _settled(
        self, arch_options: Mapping[str, float], given: Mapping[str, object]
    ) -> tuple[RunSettings, type[Candidate]]:
        (arch,) = named(Role.CALIBRATION)
        architecture = load_architecture(arch)
        settings = msgspec.convert(
            {
                "arch": arch,
                "scenario": str(ONE_VOICE),
                "members": MEMBERS,
                "warmup_s": 0.0,
                "arch_options": [f"{option}={value}" for option, value in arch_options.items()],
                "out": str(self._folder),
                **given,
            },
            RunSettings,
        )
        validate(settings, architecture)
        return settings, architecture

    def _record(self, settings: RunSettings, architecture: type[Candidate]) -> Record:
        return Record(self._folder, settings, ONE_VOICE.stem.strip("_"), architecture)


@contextmanager
def _backends(record: Record, architecture: type[Candidate]) -> Iterator[Backends]:
    backends = Backends(architecture.requires, record.settings.brokers, record.logs)
    try:
        yield backends
    finally:
        with signals_wait():
            backends.stop()


class _Silent:
    """Discards the steps of single runs; the self-test shows which check a run is for instead."""

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        pass

    def update(self, completed: float, detail: str) -> None:
        pass


class _Counted:
    """Shows how many measurements have begun, instead of their steps."""

    def __init__(self, progress: Progress, times: int) -> None:
        self._progress = progress
        self._times = times
        self._begun = 0

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        if name == "measure":
            self._begun += 1
            self._progress.update(self._begun, f"{self._begun} of {self._times}")

    def update(self, completed: float, detail: str) -> None:
        pass


def _counts(bench: _Bench) -> Iterator[Check]:
    summary = bench.run("counts", COUNT_RULES, rate_per_s=200.0, duration_s=3.0)
    assert summary.sent is not None
    per_member = fates(summary.sent, COUNT_RULES)
    for name, injected in msgspec.structs.asdict(per_member).items():
        truth = injected * (1 if name == "acked" else MEMBERS)
        reported = getattr(summary, name)
        yield Check(
            what=name.replace("_", ", though "),
            injected=f"{truth:,}",
            reported=f"{reported:,}",
            error=f"{reported - truth:,}",
            allowed="0",
            held=reported == truth,
        )


def _delays(bench: _Bench) -> Iterator[Check]:
    load = {"rate_per_s": 100.0, "duration_s": 2.0}
    base = bench.run("delays: none", {}, **load)
    for delay_ms in DELAYS_MS:
        summary = bench.run(f"delays: {delay_ms:g} ms", {"delay_ms": delay_ms}, **load)
        yield _latency_check(
            f"p50 with a delay of {delay_ms:g} ms, minus p50 without",
            delay_ms,
            _difference(summary.latency_ms.p50, base.latency_ms.p50),
            max(DELAY_ERROR_MAX_MS, DELAY_ERROR_MAX * delay_ms),
            (base, summary),
        )


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _stall(bench: _Bench) -> Iterator[Check]:
    rules = {"stall_at": float(STALL_AT), "stall_ms": STALL_MS}
    load = {"rate_per_s": STALL_RATE_PER_S, "duration_s": STALL_RUN_S, "members": 2}
    summary = bench.run(f"a stall of {STALL_MS:g} ms", rules, **load)
    assert summary.sent is not None
    for percentile, reported in ((99.0, summary.latency_ms.p99), (99.9, summary.latency_ms.p999)):
        truth = stalled_ms(percentile, summary.sent, STALL_RATE_PER_S, STALL_MS)
        what = f"p{percentile:g}, gateway stalled for {STALL_MS:g} ms"
        chance_ms = stall_chance_ms(percentile, summary.sent, STALL_RATE_PER_S)
        yield _latency_check(what, truth, reported, STALL_ERROR_MAX_MS + chance_ms, (summary,))


def _latency_check(
    what: str, injected: float, reported: float | None, allowed: float, runs: Sequence[Summary]
) -> Check:
    error = None if reported is None else reported - injected
    valid = all(run.driver.valid for run in runs)
    return Check(
        what=what,
        injected=f"{injected:.2f} ms",
        reported="not measured" if reported is None else f"{reported:.2f} ms",
        error="-" if error is None else f"{error:+.2f} ms",
        allowed=f"{allowed:.1f} ms",
        held=abs(error) <= allowed if error is not None and valid else None,
    )


def _starved(bench: _Bench) -> Check:
    load = {"rate_per_s": 100.0, "duration_s": 2.0, "options": [f"burn_ms={BURN_MS}"]}
    driver = bench.run("a starved driver", {}, **load).driver
    return Check(
        what="a driver with too little CPU time for its load",
        injected=f"{BURN_MS:g} ms per message",
        reported="valid" if driver.valid else "not valid",
        error="-",
        allowed="not valid",
        held=driver.valid is False,
    )


def _same(bench: _Bench) -> Iterator[Check]:
    """Compare `faulty` without faults with itself, under the names A and B, which take turns."""
    title = f"the same under two names, {ROUNDS} times each"
    summaries = bench.repeat(title, 2 * ROUNDS, rate_per_s=200.0, duration_s=1.0, warmup_s=1.0)
    figures: dict[str, list[dict[str, float]]] = {"A": [], "B": []}
    for place, summary in enumerate(summaries):
        name = "ABBA"[place % 4]
        latency_ms, cpu_us = summary.latency_ms.p50, summary.cpu_us_per_delivery.gateway
        figures[name].append({"delivery latency p50": latency_ms or 0.0, "gateway CPU per delivery": cpu_us or 0.0})
    for figure in figures["A"][0]:
        a, b = ([each[figure] for each in figures[name]] for name in "AB")
        ratio = ratio_of(a, b, SAME_CONFIDENCE)
        if ratio is None or ratio.low is None or ratio.high is None:
            yield Check(what=f"{figure}, A over B", injected="1", reported="?", error="-", allowed="-", held=None)
            continue
        yield Check(
            what=f"{figure}, A over B",
            injected="1",
            reported=f"{ratio.value:.3f}",
            error=f"{ratio.value - 1:+.3f}",
            allowed=f"1 in {ratio.low:.3f} to {ratio.high:.3f}",
            held=ratio.low <= 1 <= ratio.high,
        )
