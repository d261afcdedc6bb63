"""The chart of where the time of a message goes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from matplotlib.patches import Rectangle

from harness.report.run import summary_table
from harness.report.stage_chart import stages
from harness.results.frames import frames_of, read_records
from harness.runs.record import read_summary
from tests.harness.report.records import stages as stages_told
from tests.harness.report.records import write_record


def test_each_architecture_has_a_bar_of_all_its_stages(tmp_path: Path) -> None:
    for name, latency_ms in (("redis", 6.0), ("kafka-redis", 14.0)):
        write_record(tmp_path, name, latency_ms=latency_ms)
    drawn = stages(frames_of(read_records([tmp_path])))
    (axes,) = drawn.axes
    lengths = dict.fromkeys(("redis", "kafka-redis"), 0.0)
    for bars in axes.containers:
        for name, bar in zip(("redis", "kafka-redis"), bars.get_children(), strict=True):
            assert isinstance(bar, Rectangle)
            lengths[name] += bar.get_width()
    assert lengths == {"redis": pytest.approx(6.0), "kafka-redis": pytest.approx(14.0)}
    legend = axes.get_legend()
    assert legend is not None
    named = [text.get_text() for text in legend.get_texts()]
    assert named.index("relayed") == named.index("backend") + 1
    assert drawn.get_suptitle().replace("\n", " ").startswith("Time of a typical message: redis the least, 6")
    assert drawn.get_suptitle().endswith("2.3 times as much")


def test_of_a_single_architecture_it_names_the_longest_stage(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1", latency_ms=6.0)
    title = stages(frames_of(read_records([tmp_path]))).get_suptitle().replace("\n", " ")
    assert title.startswith("A typical message of plan1 takes 6")
    assert title.endswith(" ms, 17% of it until it was sent")


def test_the_table_of_a_run_has_each_stage(tmp_path: Path) -> None:
    cells = list(summary_table(read_summary(write_record(tmp_path, "plan1", latency_ms=6.0))).columns[0].cells)
    begin = cells.index("a typical message, until the last had it")
    assert cells[begin + 1 : begin + 7] == [
        "  sending",
        "  to gateway",
        "  backend",
        "  waiting",
        "  fan out",
        "  to member",
    ]


def test_what_is_between_the_clocks_of_two_hosts_is_shown_with_its_error(tmp_path: Path) -> None:
    told = msgspec.structs.replace(stages_told(6.0, "backend"), error_ms={"to_gateway": 0.75, "to_member": 0.004})
    table = summary_table(read_summary(write_record(tmp_path, "plan1", stages=told)))
    names, values = (list(column.cells) for column in table.columns)
    assert values[names.index("  to gateway")] == "1.00 ± 0.75 ms"
    assert values[names.index("  to member")] == "1.00 ± 0.004 ms"
    assert values[names.index("  backend")] == "1.00 ms"
    drawn = stages(frames_of(read_records([tmp_path])))
    assert "from host to host ± 0.75 ms" in " ".join(text.get_text().replace("\n", " ") for text in drawn.texts)
