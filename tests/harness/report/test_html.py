"""report.html, as text and as a page in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path

import matplotlib.image
import msgspec
import pytest

from harness.measure.histogram import LatencyMs
from harness.report.html import write_report
from tests import browser
from tests.browser import CHROMIUM, FLAGS, OFFLINE, needs_chromium
from tests.harness.report.records import write_comparison, write_record

pytestmark = pytest.mark.slow  # each test writes pages, or reads one that takes seconds to write


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    for cost_us in (20.0, 22.0):
        for arch, times in (("plan1", 2.0), ("plan2", 1.5), ("redis", 0.5), ("kafka-redis", 1.2)):
            write_record(folder, arch, cost_us=cost_us * times)
            write_record(folder, arch, cost_us=cost_us * times, rate_per_s=40)
    return Path(write_report([folder], folder).page)


def test_the_verdict_comes_before_every_figure(page: Path) -> None:
    text = page.read_text()
    assert text.index("For this workload") < text.index("<table") < text.index("<svg")
    assert re.search(r'class="choice">redis</strong>, because it costs the least CPU', text)


def test_it_says_how_to_make_it_again_with_settings_and_machine(page: Path) -> None:
    text = page.read_text()
    for part in (
        "How to reproduce this",
        "payload bytes",
        "cores",
        "confluent-kafka",
        f"chatbench report {page.parent}",
    ):
        assert part in text


def test_it_is_one_file_that_asks_nobody_for_anything(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_ids_of_its_pictures_do_not_meet(page: Path) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page.read_text())
    assert len(ids) == len(set(ids))


def test_a_name_from_a_record_cannot_become_markup(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1", scenario="<script>alert(1)</script>")
    text = Path(write_report([tmp_path], tmp_path).page).read_text()
    assert "<script>alert" not in text
    assert text.count("<script") == 1, "the page's own"


def test_the_pages_own_script_is_the_only_one_that_may_run(page: Path) -> None:
    text = page.read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    write_comparison(folder, blocks=4)
    return Path(write_report([folder], folder).page)


def test_where_costs_are_known_apart_no_figure_mixes_them_and_nobody_wins_by_one(decided: Path) -> None:
    text = decided.read_text()
    assert text.count("For this workload:") == 1
    assert "CPU per delivery, gateways + brokers" not in text
    assert not list((decided.parent / "charts").glob("*cpu_per_delivery*"))
    assert "marginal cost, us" in text
    assert "p99 delivery latency at 20 msg/s: n/a: 320 messages, 1,000 needed" in text
    assert decided.stat().st_size < 2_000_000


def test_a_tail_for_which_the_driver_was_too_late_is_neither_drawn_nor_ranked(tmp_path: Path) -> None:
    """The medians of all three can be compared, and the tails of two: redis, the fastest, is late by 1 ms at p99."""
    for number in range(1, 4):
        for arch, latency_ms in (("plan1", 6.0), ("plan2", 9.0), ("redis", 2.0)):
            for rate_per_s in (20.0, 100.0):
                write_record(
                    tmp_path / f"round-{number}",
                    arch,
                    latency_ms=latency_ms,
                    rate_per_s=rate_per_s,
                    sent=1_000,
                    idle_cpu_ms_per_s={"gateway": 10.0 + number},
                    send_lateness_ms=LatencyMs(p50=0.1, p99=1.2),
                )
    text = Path(write_report([tmp_path], tmp_path).page).read_text()
    assert "p99 delivery latency at 20 msg/s: n/a for redis: the driver was late by 1.2 ms (p99)" in text
    assert "p99 of delivery latency: redis" not in text
    spectrum, distribution, rates = (
        (tmp_path / "charts" / f"{name}.svg").read_text()
        for name in ("w1-latency_spectrum", "w1-latency_cdf", "throughput_and_latency")
    )
    assert "p50 of delivery latency: redis" in spectrum
    assert tipped(spectrum, "p50 of delivery latency: ") == ["redis", "plan1", "plan2"]
    assert tipped(spectrum, "p99 of delivery latency: ") == ["plan1", "plan2"]
    assert tipped(distribution, "50 % of deliveries: ") == ["redis", "plan1", "plan2"]
    assert tipped(distribution, "75 % of deliveries: ") == ["plan1", "plan2"]
    assert "p50 from 20 to 100 messages/s" in rates
    assert "p99" not in rates


def tipped(svg: str, begins: str) -> list[str]:
    """The architectures in the text that the mark has when it is pointed at."""
    (text,) = re.findall(f"<title>{begins}(.*?)</title>", svg)
    return re.findall(r"(\w+) [\d.]+ ms", text)


@needs_chromium
def test_the_values_of_a_chart_can_be_pointed_at_and_reached_by_keys(decided: Path, tmp_path: Path) -> None:
    with browser.chromium(tmp_path / "profile") as tab:
        tab.open(decided.as_uri())
        chart = "document.querySelector('#decision-1-values svg')"
        box = "document.getElementById('tip').textContent"
        tab.wait_for(f"{chart}?.getAttribute('tabindex') === '0'")
        moved = "new PointerEvent('pointermove', {clientX: 50, clientY: 50, bubbles: true})"
        tab.run(f"{chart}.querySelector('.mark').dispatchEvent({moved})")
        interval = r"95 % interval [\d.]+ to [\d.]+"
        said = rf"fixed cost, [a-z-]+: [\d.]+ ms/s, {interval}, of which gateway [\d.]+, [a-z]+ [\d.]+; 4 blocks"
        assert re.fullmatch(said, tab.run(box))
        middle = "(() => { const mark = document.querySelector('#decision-1-ratios .mark'); mark.scrollIntoView();"
        middle += " const at = mark.getBoundingClientRect(); return document.elementFromPoint("
        middle += "at.left + at.width / 2, at.top + at.height / 2).closest('.mark') === mark; })()"
        assert tab.run(middle), "an unseen band notices the pointer"
        pressed = "new KeyboardEvent('keydown', {{key: '{}', bubbles: true}})"
        tab.run(f"{chart}.focus(), {chart}.dispatchEvent({pressed.format('Home')})")
        assert "redis" in tab.run(box), "the first is on top"
        tab.run(f"{chart}.dispatchEvent({pressed.format('ArrowDown')})")
        assert "redis" not in tab.run(box)
        assert tab.run(f"{chart}.querySelector('.mark.on').getAttribute('aria-label')") == tab.run(box)
        tab.run(f"{chart}.dispatchEvent({pressed.format('Escape')})")
        assert tab.run(box) == ""


def chromium(profile: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, *OFFLINE, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@needs_chromium
@pytest.mark.parametrize("width_px", [360, 1280])
def test_it_fits_a_phone_and_a_desk(page: Path, tmp_path: Path, width_px: int) -> None:
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"""<iframe id=f src="{page.as_uri()}" width={width_px} height=900></iframe><output id=o></output>
        <script>f.onload = () => {{ const d = f.contentDocument;
          const charts = [...d.querySelectorAll("figure svg")].map(svg => svg.getBoundingClientRect());
          o.textContent = JSON.stringify([d.documentElement.scrollWidth, charts.length,
            charts.every(c => c.width > 300 && c.right <= {width_px})]); }}</script>"""
    )
    answer = chromium(tmp_path / "profile", "--virtual-time-budget=5000", "--dump-dom", frame.as_uri())
    (said,) = re.findall(r"<output[^>]*>(.*?)</output>", answer)
    width, charts, fit = said.strip("[]").split(",")
    assert int(width) <= width_px, "nothing is wider than the window"
    assert int(charts) == 2 * 7 + 1
    assert fit == "true"


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_readers_light_or_dark(page: Path, tmp_path: Path, scheme: str) -> None:
    picture = tmp_path / "page.png"
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    chromium(tmp_path / "profile", *dark, "--window-size=900,1200", f"--screenshot={picture}", page.as_uri())
    pixels = matplotlib.image.imread(picture)[..., :3]
    paper = pixels[2, 2].mean()
    assert paper < 0.2 if scheme == "dark" else paper > 0.9
    assert pixels.std() > 0.05, "the page is not empty"


def test_it_says_one_machine_only_of_what_was_on_one(page: Path, tmp_path: Path) -> None:
    assert "All processes shared one machine" in page.read_text()
    write_record(tmp_path, "plan1", settings={"kafka_bootstrap": "192.168.1.5:9092"})
    write_record(tmp_path, "redis", settings={"gateways_at": ("ws://192.168.1.20:9001",), "expect_workers": 2})
    text = Path(write_report([tmp_path], tmp_path).page).read_text()
    assert "one machine" not in text
    assert "2 runs controlled from " in text
    for part in (
        "Kafka at 192.168.1.5:9092",
        "the gateways at ws://192.168.1.20:9001 and what they use",
        "2 Locust workers",
    ):
        assert part in text


def test_runs_of_two_machines_are_said_to_be_of_two(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1")
    elsewhere = write_record(tmp_path, "redis") / "manifest.json"
    manifest = msgspec.json.decode(elsewhere.read_bytes())
    manifest["host"]["cpu"] = "another processor"
    elsewhere.write_bytes(msgspec.json.encode(manifest))
    text = Path(write_report([tmp_path], tmp_path).page).read_text()
    assert "These runs were made on 2 machines" in text
    assert "another processor" in text
