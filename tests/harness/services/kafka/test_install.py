"""Which prepared files are kept, and when it is tried again to make them. Nothing of Kafka starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.errors import ServiceFailed
from harness.services.kafka import install
from harness.services.kafka.broker import Installation
from harness.services.kafka.install import KEPT_MAX, TRIED, TRY_AGAIN_S, ensure_installation
from harness.services.kafka.jars import Jars


class Rehearsals:
    """Stands in for Kafka's first start."""

    makes_classes = True
    fails = False
    begun = 0

    def __init__(self, jar: Path) -> None:
        self._jar = jar
        jar.touch()

    def format(self, _jars: Jars, _workdir: Path, _log: Path, formatted: Path) -> None:
        self.begun += 1
        if self.fails:
            raise ServiceFailed("kafka's formatter hangs")
        formatted.mkdir()

    def keep_classes(self, _installation: Installation, _workdir: Path, classes: Path) -> None:
        if self.makes_classes:
            classes.touch()

    def with_another_jar(self) -> None:
        os.utime(self._jar, (0, self._jar.stat().st_mtime + 1))


@pytest.fixture
def rehearsals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsals:
    jar = tmp_path / "kafka.jar"
    made = Rehearsals(jar)
    monkeypatch.setenv("CHATBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(install, "java", lambda: None)
    monkeypatch.setattr(install, "ensure_jars", lambda _on_progress: Jars(str(jar), jar))
    monkeypatch.setattr(install, "_format", made.format)
    monkeypatch.setattr(install, "_keep_classes", made.keep_classes)
    return made


def prepared() -> tuple[Path, bool]:
    """The folder that a start has, and whether it is faster by its classes."""
    installation = ensure_installation(lambda _what, _done, _total: None)
    return installation.formatted.parent, bool(installation.jvm)


def a_day_later(folder: Path) -> None:
    now_s = (folder / TRIED).stat().st_mtime
    os.utime(folder / TRIED, (now_s, now_s - TRY_AGAIN_S))


def test_classes_that_could_not_be_made_are_tried_again_a_day_later(rehearsals: Rehearsals) -> None:
    rehearsals.makes_classes = False
    folder, has_classes = prepared()
    assert not has_classes
    rehearsals.makes_classes = True
    assert prepared() == (folder, False)
    assert rehearsals.begun == 1, "not at every start, since it takes seconds"
    a_day_later(folder)
    assert prepared() == (folder, True)
    assert (folder / "formatted").is_dir()
    a_day_later(folder)
    assert prepared() == (folder, True)
    assert rehearsals.begun == 2, "nothing is missing any more"


def test_a_failure_of_the_second_try_does_not_fail_the_start(rehearsals: Rehearsals) -> None:
    rehearsals.makes_classes = False
    folder, _ = prepared()
    a_day_later(folder)
    rehearsals.fails = True
    assert prepared() == (folder, False)
    assert prepared() == (folder, False)
    assert rehearsals.begun == 2
    rehearsals.with_another_jar()
    with pytest.raises(ServiceFailed, match="hangs"):
        prepared()


def test_only_the_folders_that_were_used_last_are_kept(rehearsals: Rehearsals) -> None:
    folders = []
    for used_s in (300, 100, 200, *range(400, 400 + KEPT_MAX - 3)):  # since the epoch
        folder, _ = prepared()
        os.utime(folder, (0, used_s))
        folders.append(folder)
        rehearsals.with_another_jar()
    newest, _ = prepared()
    kept = {each for each in newest.parent.iterdir() if each.is_dir()}
    assert kept == {newest, *folders} - {folders[1]}
    assert len(kept) == KEPT_MAX
