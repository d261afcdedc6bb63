from __future__ import annotations

from pathlib import Path

import matplotlib.image
import pytest

from harness.core.registry import architecture_names, colour_of, load_architecture
from harness.measure.validity import DriverVerdict
from harness.report.charts import CHARTS, has_data, throughput_and_latency
from harness.report.style import IN_THE_DARK, OTHERS, colours_of, save
from harness.results.frames import Frames, frames_of, read_records
from tests.harness.report.records import write_record


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    folder = tmp_path_factory.mktemp("records")
    for arch, cost_us in (("plan1", 40), ("plan2", 20), ("redis", 10), ("mine", 30)):
        write_record(folder, arch, cost_us=cost_us)
    return frames_of(read_records([folder]))


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_is_a_png_and_an_svg_that_names_every_architecture(
    name: str, frames: Frames, tmp_path: Path
) -> None:
    draw, _title = CHARTS[name]
    svg = save(draw(frames), tmp_path, name).read_text()
    assert matplotlib.image.imread(tmp_path / f"{name}.png").shape[1] == 960
    for arch in ("plan1", "plan2", "mine"):
        assert f">{arch}</text>" in svg


def test_throughput_is_drawn_through_the_rates(tmp_path: Path) -> None:
    for rate_per_s in (20, 40, 80):
        write_record(tmp_path, "plan1", cost_us=20 + rate_per_s, rate_per_s=rate_per_s)
    drawn = throughput_and_latency(frames_of(read_records([tmp_path])))
    assert ">plan1</text>" in save(drawn, tmp_path, "t").read_text()


def test_without_data_there_is_no_chart(tmp_path: Path) -> None:
    write_record(tmp_path, "redis", driver=DriverVerdict(valid=False, why="late"))
    frames = frames_of(read_records([tmp_path]))
    drawn = {name for name in CHARTS if has_data(name, frames)}
    assert drawn == {"cpu_per_delivery", "correctness", "latency_over_time"}


def test_a_chart_looks_the_same_whatever_a_matplotlibrc_says(frames: Frames, tmp_path: Path) -> None:
    draw, _title = CHARTS["cpu_per_delivery"]
    plain = save(draw(frames), tmp_path, "plain").read_text()
    with matplotlib.rc_context({"axes.facecolor": "black", "font.family": "monospace", "lines.linewidth": 9}):
        assert save(draw(frames), tmp_path, "theirs").read_text() == plain


def test_losses_are_drawn_as_shares(tmp_path: Path) -> None:
    write_record(tmp_path, "naive", lost=750, delivered=250)
    draw, _title = CHARTS["correctness"]
    assert ">75 %</text>" in save(draw(frames_of(read_records([tmp_path]))), tmp_path, "c").read_text()


def test_an_architecture_has_its_colour_whoever_is_beside_it() -> None:
    assert colours_of(["plan2", "plan1"])["plan2"] == colours_of(["plan2", "mine", "redis"])["plan2"]
    assert colours_of(["plan1", "plan1 (4 partitions)"])["plan1 (4 partitions)"] == load_architecture("plan1").colour
    assert len(set(colours_of(["a", "b", "plan1", "plan2", "z"]).values())) == 5
    own = [colour for name in architecture_names() if (colour := colour_of(name)) is not None]
    assert len({*own, *OTHERS}) == len(own) + len(OTHERS), "no two are alike"
    assert set(IN_THE_DARK) <= set(own)
