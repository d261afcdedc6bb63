"""A headless Chromium, controlled over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
Test = TypeVar("Test", bound=Callable[..., None])
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files"]
OFFLINE = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


def needs_chromium(test: Test) -> Test:
    """Skip the test where there is no Chromium. It is slow: a browser takes seconds to start."""
    slow: Test = pytest.mark.slow(test)
    skipped: Test = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; `make tools` installs one")(slow)
    return skipped


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._last_id = 0

    def _call(self, method: str, **parameters: Any) -> Any:
        self._last_id += 1
        self._connection.send(json.dumps({"id": self._last_id, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=30))
            if answer.get("id") == self._last_id:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str, timeout_s: float = 240.0) -> Any:
        """The expression's value as soon as it is true."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
            time.sleep(0.1)
        raise AssertionError(f"{script} did not become true; the page says: {self.run('document.body.innerText')}")

    def click(self, text: str) -> None:
        """Click the button, tab or link with that text, when there is one."""
        self.wait_for(
            "(() => { const all = [...document.querySelectorAll('button, [role=tab], a')];"
            f" const found = all.find(each => each.innerText.trim().toLowerCase() === {json.dumps(text.lower())});"
            " if (found) found.click(); return Boolean(found); })()"
        )

    def click_until(self, text: str, script: str) -> None:
        """Click until the expression is true: a page that has just been drawn may not listen yet."""
        for _ in range(10):
            self.click(text)
            with contextlib.suppress(AssertionError):
                self.wait_for(script, timeout_s=3)
                return
        raise AssertionError(f"{text} was clicked, but {script} did not become true")

    def fill(self, field: str, value: str) -> None:
        """Replace what is in the form's field of that name, so that the page's own code hears of it."""
        self.wait_for(
            f"(() => {{ const field = document.querySelector({json.dumps(f'[name={field}]')});"
            " if (!field) return false;"
            " const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');"
            f" value.set.call(field, {json.dumps(value)});"
            " field.dispatchEvent(new Event('input', {bubbles: true})); return true; })()"
        )

    def type(self, text: str) -> None:
        """Into whatever has the focus, as by a keyboard."""
        self._call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Enter, or Tab."""
        code = {"Enter": 13, "Tab": 9}[key]
        texts = {"text": "\r"} if key == "Enter" else {}
        given = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", **given, **texts)
        self._call("Input.dispatchKeyEvent", type="keyUp", **given)

    def resize(self, width: int, height: int = 1000) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)

    def picture(self, file: Path) -> None:
        """Of what can be seen, as PNG."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def download_to(self, folder: Path) -> None:
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    assert CHROMIUM is not None
    new = [f"--user-data-dir={profile}", "--window-size=1280,1000", "--remote-debugging-port=0", "about:blank"]
    argv = [CHROMIUM, *FLAGS, *OFFLINE, *new]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if endpoint := re.search(r"ws://([\d.:]+)/devtools", line):
                    break
            else:
                raise AssertionError("Chromium said no address")
            with connect(_page_of(endpoint[1]), max_size=64 * 1024 * 1024) as connection:
                yield Page(connection)
        finally:
            process.kill()


def _page_of(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/json/list", timeout=10) as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
