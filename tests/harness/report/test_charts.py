from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from harness.core.registry import architecture_names, colour_of, load_architecture
from harness.measure.validity import DriverVerdict
from harness.report.charts import CHARTS, has_data
from harness.report.decision import decision_of
from harness.report.decision_charts import charts_of
from harness.report.latency_charts import latency_spectrum
from harness.report.rate_charts import throughput_and_latency
from harness.report.style import IN_THE_DARK, OTHERS, colours_of, save
from harness.results import blocks
from harness.results.frames import Frames, frames_of, read_records
from tests.harness.report.chart_rules import assert_says_what_one_sees
from tests.harness.report.records import write_comparison, write_record


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    folder = tmp_path_factory.mktemp("records")
    for arch, cost_us in (("plan1", 40), ("plan2", 20), ("redis", 10), ("mine", 30)):
        write_record(folder, arch, cost_us=cost_us, sent=2_000)
    return frames_of(read_records([folder]))


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_is_a_png_and_an_svg_that_names_every_architecture(
    name: str, frames: Frames, tmp_path: Path
) -> None:
    draw = CHARTS[name]
    svg = save(draw(frames), tmp_path, name).read_text(encoding="utf-8")
    assert matplotlib.image.imread(tmp_path / f"{name}.png").shape[1] == 960
    for arch in ("plan1", "plan2", "mine"):
        assert f">{arch}</text>" in svg


def over_rates(folder: Path, *, sent: int) -> Figure:
    for rate_per_s in (20, 40, 80):
        write_record(folder, "plan1", cost_us=20 + rate_per_s, rate_per_s=rate_per_s, sent=sent)
    return throughput_and_latency(frames_of(read_records([folder])))


def test_throughput_is_drawn_through_the_rates(tmp_path: Path) -> None:
    drawn = over_rates(tmp_path, sent=2_000)
    assert drawn.get_suptitle().startswith("p99 from 20 to 80 messages/s: plan1 from ")
    assert ">plan1</text>" in save(drawn, tmp_path, "t").read_text()


def test_where_no_rate_supports_the_p99_the_median_is_drawn(tmp_path: Path) -> None:
    assert over_rates(tmp_path, sent=100).axes[0].get_ylabel() == "p50 of delivery latency, ms"


def test_a_line_ends_where_the_messages_no_longer_support_it(frames: Frames, tmp_path: Path) -> None:
    def furthest(of: Frames) -> float:
        return max(float(np.asarray(line.get_xdata())[-1]) for line in latency_spectrum(of).axes[0].lines)

    write_record(tmp_path, "plan1", sent=100)
    assert furthest(frames_of(read_records([tmp_path]))) <= 1.01 / (1 - 0.9)
    assert 1 / (1 - 0.99) < furthest(frames) <= 1.01 / (1 - 0.995)


def every_chart(frames: Frames, folder: Path) -> Iterator[tuple[str, Figure]]:
    for name, draw in CHARTS.items():
        yield name, draw(frames)
    yield "throughput_and_latency", over_rates(folder / "rates", sent=2_000)
    write_comparison(folder / "blocks", blocks=3, sent=400)
    records = read_records([folder / "blocks"])
    (compared,) = blocks.compared(records)
    for chart in charts_of(decision_of(compared, frames_of(records))):
        assert chart.drawn is not None
        yield chart.name, chart.drawn


@pytest.mark.slow
def test_every_chart_says_what_one_sees_in_which_units_and_what_it_rests_on(frames: Frames, tmp_path: Path) -> None:
    for name, drawn in every_chart(frames, tmp_path):
        assert_says_what_one_sees(drawn, name)


@pytest.mark.slow
def test_every_mark_has_its_value_unit_and_n_to_be_pointed_at(frames: Frames, tmp_path: Path) -> None:
    for name, drawn in every_chart(frames, tmp_path):
        tips = re.findall(r'<g class="mark"><title>(.*?)</title>', save(drawn, tmp_path, name).read_text())
        assert tips, name
        assert all(re.search(r"\d", tip) for tip in tips), name
        if name.startswith("decision-"):
            assert all("3 blocks" in tip for tip in tips), name


def test_the_page_of_the_record_names_every_chart() -> None:
    page = (Path(__file__).parents[3] / "docs" / "record.md").read_text(encoding="utf-8")
    for name in (*CHARTS, "throughput_and_latency", "capacity", "decision-1-values", "decision-1-ratios"):
        assert f"`{name}`" in page


def test_without_data_there_is_no_chart(tmp_path: Path) -> None:
    write_record(tmp_path, "redis", driver=DriverVerdict(valid=False, why="late"))
    frames = frames_of(read_records([tmp_path]))
    drawn = {name for name in CHARTS if has_data(name, frames)}
    assert drawn == {"cpu_per_delivery", "correctness", "latency_over_time"}


def test_a_chart_looks_the_same_whatever_a_matplotlibrc_says(frames: Frames, tmp_path: Path) -> None:
    draw = CHARTS["cpu_per_delivery"]
    plain = save(draw(frames), tmp_path, "plain").read_text()
    with matplotlib.rc_context({"axes.facecolor": "black", "font.family": "monospace", "lines.linewidth": 9}):
        assert save(draw(frames), tmp_path, "theirs").read_text() == plain


def test_losses_are_drawn_as_shares(tmp_path: Path) -> None:
    write_record(tmp_path, "naive", lost=750, delivered=250)
    draw = CHARTS["correctness"]
    assert ">75 %</text>" in save(draw(frames_of(read_records([tmp_path]))), tmp_path, "c").read_text()


def test_an_architecture_has_its_colour_whoever_is_beside_it() -> None:
    assert colours_of(["plan2", "plan1"])["plan2"] == colours_of(["plan2", "mine", "redis"])["plan2"]
    assert colours_of(["plan1", "plan1 (4 partitions)"])["plan1 (4 partitions)"] == load_architecture("plan1").colour
    assert len(set(colours_of(["a", "b", "plan1", "plan2", "z"]).values())) == 5
    own = [colour for name in architecture_names() if (colour := colour_of(name)) is not None]
    assert len({*own, *OTHERS}) == len(own) + len(OTHERS), "no two are alike"
    assert set(IN_THE_DARK) <= set(own)
