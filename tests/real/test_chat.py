"""`chatbench chat` in a real browser: a message typed in one pane is heard, or not, in the other."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Page, chromium, needs_chromium
from tests.real.runs import CHATBENCH

PATH = "document.querySelector('#path').textContent"
BOTH_THERE = "[...document.querySelectorAll('.state')].every(state => /at gateway|들어옴/.test(state.textContent))"


@contextlib.contextmanager
def chatting(folder: Path, *arguments: str) -> Iterator[Page]:
    argv = [*CHATBENCH, "chat", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as chat:
        assert chat.stdout is not None
        try:
            address = re.search(r"http://\S+/chat", chat.stdout.readline())
            assert address is not None
            with chromium(folder / "profile") as page:
                page.open(address[0])
                page.wait_for(f"document.querySelectorAll('.state').length === 2 && {BOTH_THERE}")
                yield page
        finally:
            chat.terminate()
        assert chat.wait(30) == 0


def say(page: Page, pane: str, words: str) -> None:
    """By the keyboard alone."""
    page.run(f"document.querySelector('[name=say-{pane}]').focus()")
    page.type(words)
    page.press("Enter")


def lines(page: Page, pane: str) -> list[str]:
    found: list[str] = page.run(
        f"[...document.querySelector('[name=say-{pane}]').closest('.pane').querySelectorAll('li')]"
        ".map(line => line.textContent)"
    )
    return found


def wait_for_line(page: Page, pane: str, pattern: str) -> None:
    page.wait_for(
        f"[...document.querySelector('[name=say-{pane}]').closest('.pane').querySelectorAll('li')]"
        f".some(line => new RegExp({json.dumps(pattern)}).test(line.textContent))",
    )


@needs_chromium
def test_what_is_typed_in_one_pane_is_heard_in_the_other_and_its_way_is_drawn(tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", "redis") as page:
        say(page, "A", "<b>goal</b> & more")
        wait_for_line(page, "B", r"^<b>goal</b> & more\d+\.\d ms$")
        wait_for_line(page, "A", r"^<b>goal</b> & moreacked after \d+\.\d ms$")
        page.wait_for("/heard by 2 of 2, the last after [0-9.]+ ms/.test(document.querySelector('#path').textContent)")
        drawn = page.run("[...document.querySelectorAll('#way .on text')].map(box => box.textContent)")
        named = {"gateway 0", "gateway 1", "channel final", "Member A", "Member B"}
        assert set(drawn) == named
        told = page.run("document.querySelector('#way').getAttribute('aria-label')")
        assert "Member A → channel final → gateway 0, gateway 1. heard by 2 of 2" in told
        page.click("한국어")
        page.wait_for("document.documentElement.lang === 'ko'")
        assert page.run("document.querySelector('form button').textContent") == "보내기"
        page.wait_for("[...document.querySelectorAll('#way text')].some(box => box.textContent === '게이트웨이 1')")
        say(page, "B", "안녕하세요")
        wait_for_line(page, "A", r"^안녕하세요\d+\.\d ms$")
        asked = page.run("performance.getEntriesByType('resource').map(each => new URL(each.name).hostname)")
        assert set(asked) <= {"127.0.0.1"}, "nothing is from outside"
        unnamed = page.run(
            "[...document.querySelectorAll('input, select, button')]"
            ".filter(each => !each.textContent && !each.getAttribute('aria-label') && !each.labels?.length).length"
        )
        assert unnamed == 0


@needs_chromium
def test_with_naive_one_sees_the_fragments(tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", "naive") as page:
        for number in range(4):
            say(page, "A", f"message {number}")
            page.wait_for(
                f"[...document.querySelectorAll('li.missed')].some(l => l.textContent.includes('e {number}'))"
            )
        # Each is heard by one of two; where that one heard it late, it says for a moment that nobody did.
        page.wait_for("document.querySelectorAll('li.missed').length === 4")
        page.wait_for("document.querySelector('#path').textContent.includes('heard by 1 of 2')")
        assert page.run("document.querySelectorAll('#way .missed').length") == 1


def move(page: Page, pane: str, where: str) -> None:
    page.run(
        f"(() => {{ const at = document.querySelector('[name=at-{pane}]');"
        f" at.value = {json.dumps(where)}; at.dispatchEvent(new Event('change')); }})()"
    )


@needs_chromium
@pytest.mark.parametrize(("arch", "is_told"), [("redis-streams", True), ("redis", False)])
def test_who_was_away_is_told_what_was_said_where_it_is_kept(arch: str, is_told: bool, tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", arch) as page:
        say(page, "A", "before")
        wait_for_line(page, "B", "^before")
        move(page, "B", "nowhere")
        page.wait_for("/not connected|연결되지 않음/.test(document.querySelectorAll('.state')[1].textContent)")
        say(page, "A", "meanwhile")
        wait_for_line(page, "B", "^was away when “meanwhile” was sent$")
        page.wait_for(f"{PATH}.startsWith('heard by 1 of 1, ') && {PATH}.endsWith('; Member B was away')")
        assert "Member B" not in page.run("[...document.querySelectorAll('#way text')].map(box => box.textContent)")
        move(page, "B", "0")
        page.wait_for(BOTH_THERE)
        say(page, "A", "after")
        wait_for_line(page, "B", "^after")
        heard = [re.sub(r"[\d.]+ ms$", "", line) for line in lines(page, "B")]
        assert [line for line in heard if line in {"before", "meanwhile", "after"}] == (
            ["before", "meanwhile", "after"] if is_told else ["before", "after"]
        )
        # Late is not lost: what was told in the end is no longer said to be missed.
        page.wait_for(f"document.querySelectorAll('li.missed').length === {0 if is_told else 1}")


@needs_chromium
def test_nothing_that_is_typed_is_lost_in_silence(tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", "redis") as page:
        state = "document.querySelectorAll('.state')[1].textContent"
        move(page, "B", "nowhere")
        say(page, "B", "from nowhere")
        wait_for_line(page, "B", "^not sent: Member B is away; choose a gateway first$")
        assert page.run("document.querySelector('[name=say-B]').value") == "from nowhere"
        page.run("one('#room').value = 'another', one('#room').onchange()")
        page.wait_for(f"{BOTH_THERE.replace('every', 'some')} && {state} === 'away, not connected'")

        page.run("about.urls[1] = 'ws://127.0.0.1:1/'")  # nobody is there
        move(page, "B", "1")
        page.wait_for(f"{state} === 'no connection to gateway 1; trying again'")
        page.press("Enter")
        wait_for_line(page, "B", "^not sent: Member B is not in the room yet")
        move(page, "B", "nowhere")
        page.run("new Promise(resolve => setTimeout(resolve, 1500))")  # it tries again after a second, if it does
        assert page.run(state) == "away, not connected"

        page.run("panes[0].socket.send = () => {}")  # what it says does not get there
        say(page, "A", "into the void")
        wait_for_line(page, "A", "^into the voidno ack yet$")
        page.wait_for(f"{PATH} === 'heard by nobody; Member B was away'")
        page.run("panes[0].hear({t: 'error', code: 'refused', reason: 'Redis is full', id: last.id})")
        wait_for_line(page, "A", "^into the voidnot accepted: Redis is full$")
        page.run("window.fetch = () => Promise.reject(new TypeError('gone'))")
        page.run("draw()")
        page.wait_for(f"{PATH}.includes('does not answer, so the route is not drawn')")


@needs_chromium
def test_in_korean_particles_follow_the_last_sound(tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", "direct") as page:
        if page.run("language") != "ko":
            page.click("한국어")
        there = [page.run(f"text('at', {gateway})") for gateway in range(11)]
        assert there == [f"게이트웨이 {n}{p} 통해 방에 들어옴" for n, p in enumerate("을을를을를를을을을를을")]
        sent = [page.run(f"text('sent', {gateway})").split()[1] for gateway in range(10)]
        assert sent == ["0으로", "1로", "2로", "3으로", "4로", "5로", "6으로", "7로", "8로", "9로"]
        missed = {word: page.run(f"text('missed', {json.dumps(word)})") for word in ("골", "점수!", "hello", "⚽")}
        assert missed == {
            "골": "“골”을 받지 못함",
            "점수!": "“점수!”를 받지 못함",
            "hello": "“hello”를 받지 못함",
            "⚽": "“⚽”을(를) 받지 못함",
        }
        assert page.run("document.querySelector('#summary').textContent") == "게이트웨이 하나, 브로커 없음"


@needs_chromium
@pytest.mark.parametrize("arch", ["kafka-redis"])  # the longest way
def test_the_diagram_can_be_read_on_a_small_screen(arch: str, tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", arch) as page:
        say(page, "A", "hello")
        page.wait_for("document.querySelectorAll('#way line.on').length >= 5")
        for width in (400, 1280):
            page.resize(width)
            page.wait_for(f"innerWidth === {width} && document.querySelector('#way').getScreenCTM().a * 13 >= 11")
            assert page.run("document.documentElement.scrollWidth <= innerWidth"), "the page does not scroll sideways"
            inside = page.run(
                "[...document.querySelectorAll('#way g')].every(box => box.querySelector('text').getBBox().width"
                " <= box.querySelector('rect').getBBox().width)"
            )
            assert inside


@needs_chromium
def test_with_plan2_both_go_where_the_room_is_served(tmp_path: Path) -> None:
    with chatting(tmp_path, "--arch", "plan2") as page:
        page.wait_for(
            "new Set([...document.querySelectorAll('select')].map(each => each.value)).size === 1"
            " && document.querySelectorAll('li.note').length === 1"
        )
        assert any("this room is served by gateway" in line for line in (*lines(page, "A"), *lines(page, "B")))
        say(page, "B", "hello")
        wait_for_line(page, "A", r"^hello\d+\.\d ms$")
        page.wait_for("document.querySelectorAll('#way line.on').length >= 4")
