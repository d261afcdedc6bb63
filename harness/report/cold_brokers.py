"""Whether Kafka's brokers were warm while architectures were compared on them, and what it means if not.

What a JVM's compiler uses is no cost of an architecture and is taken away. But code that is not compiled yet is slow as
well: on cold brokers an architecture with Kafka takes more CPU time and longer than on brokers that have run for a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from harness.experiments.comparison import PLAN, WARMING
from harness.results.frames import RunRecord
from harness.runs.warming import WINDOWS_ALIKE, Warming

COMPILER_SHARE_MAX = 1 / 3  # of the brokers' CPU time in all runs together; a warm broker's is far below
MEANING = "Code that is not compiled yet is slow, so that architectures with Kafka look dearer and slower than they are"


def cold_brokers(records: Sequence[RunRecord]) -> str | None:
    """Say why Kafka's brokers were not warm in these runs, what it means, and what to do. None: nothing speaks for it.

    Brokers that the runs did not start are not judged, and neither are runs in a single block, which decide nothing.
    """
    own = [each for each in records if each.summary.status == "complete" and _has_own_kafka(each)]
    if len({each.folder.parent for each in own}) < 2:
        return None
    why, what_to_do = next(_reasons(own), (None, ""))
    return None if why is None else f"Kafka's brokers were not warm: {why}. {MEANING}; {what_to_do}."


def _has_own_kafka(record: RunRecord) -> bool:
    settings = record.manifest.settings
    return record.summary.kafka is not None and settings.kafka_bootstrap is None and not settings.gateways_at


def _reasons(records: Sequence[RunRecord]) -> Iterator[tuple[str, str]]:
    """Reasons to think so, each with what to do about it."""
    folders = dict.fromkeys(each.folder.parents[1] for each in records)
    for folder in folders:
        if not (folder / PLAN).is_file():  # runs of nobody's comparison
            continue
        warming = _warming_in(folder)
        if warming is None:
            yield "they were not kept busy before the first run", "compare again with --jvm-warmup 90s"
        elif not warming.is_flat:
            yield _not_flat(warming), "compare again with a longer --jvm-warmup"
    share = _compiler_share(records)
    if share is not None and share > COMPILER_SHARE_MAX:
        restarts = any(each.manifest.settings.faults for each in records)
        yield (
            f"their compiler took {_percent(share)} of their CPU time in these runs",
            "compare without faults, because a broker that was restarted is cold again"
            if restarts
            else "compare again with a longer --budget or --duration, in which they become warm",
        )


def _warming_in(folder: Path) -> Warming | None:
    try:
        return msgspec.json.decode((folder / WARMING).read_bytes(), type=Warming)
    except (OSError, msgspec.DecodeError):
        return None


def _not_flat(warming: Warming) -> str:
    if len(warming.cpu_us_per_message) < WINDOWS_ALIKE:
        return "the time to warm them was too short"
    known = [share for share in warming.compiler_share[-WINDOWS_ALIKE:] if share is not None]
    if not known:
        return "when the time to warm them was over, the CPU time of a message still changed"
    return f"when the time to warm them was over, their compiler still took {_percent(fmean(known))} of their CPU time"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _compiler_share(records: Sequence[RunRecord]) -> float | None:
    known = [each.summary.kafka_cpu for each in records if each.summary.kafka_cpu is not None]
    every_ms = sum(each.compiler_ms + each.collector_ms + each.rest_ms for each in known)
    return sum(each.compiler_ms for each in known) / every_ms if every_ms else None
