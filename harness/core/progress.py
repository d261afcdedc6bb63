"""Progress of runs on stderr: a live line on a terminal, otherwise a plain line for each step."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Live

PLAIN_EVERY_S = 10.0


class Progress(Protocol):
    """How a run reports its progress: `step` begins a new step, and `update` says how far the step is."""

    def step(self, name: str, detail: str = "", total: float | None = None) -> None: ...

    def update(self, completed: float, detail: str) -> None: ...


class _OnConsole:
    """A context manager that shows a live line while it is entered, if the console is a terminal."""

    def __init__(self, live: Live, console: Console) -> None:
        self._live = live if console.is_terminal else None
        self._console = console

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


class RunProgress(_OnConsole):
    """The progress of one run, with a bar for each step."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description:<12}", style="bold", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
        )
        live = Live(*columns, console=console, transient=True)
        super().__init__(live, console)
        self._task = live.add_task("start", total=None, detail="")
        self._printed_s = 0.0

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        if self._live is None:
            self._console.print(f"{name}: {detail}" if detail else name)
            self._printed_s = time.monotonic()
            return
        self._live.remove_task(self._task)
        self._task = self._live.add_task(name, total=total, detail=detail)

    def update(self, completed: float, detail: str) -> None:
        if self._live is not None:
            self._live.update(self._task, completed=completed, detail=detail)
        elif time.monotonic() - self._printed_s > PLAIN_EVERY_S:
            self._printed_s = time.monotonic()
            self._console.print(f"  {detail}")


class CampaignProgress(_OnConsole):
    """The progress of a campaign: one bar over all runs, and beside it the step of the current run."""

    def __init__(self, console: Console, runs: int) -> None:
        columns = (
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
        )
        live = Live(*columns, console=console, transient=True)
        super().__init__(live, console)
        self._task = live.add_task("compare", total=runs, detail="")
        self._runs = runs
        self._run = ""
        self._step = ""

    def run(self, done: int, name: str) -> None:
        """Begin the run `name`, after `done` runs have ended."""
        self._run = name
        if self._live is None:
            self._console.print(f"run {done + 1} of {self._runs}: {name}")
        else:
            self._live.update(self._task, completed=done, detail=name)

    def expect(self, runs: int, why: str) -> None:
        """Say how many runs there will probably be, and why."""
        self._runs = runs
        if self._live is None:
            self._console.print(f"so far: {why}; {runs} runs are expected in all")
        else:
            self._live.update(self._task, total=runs)

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        self._step = name
        self.update(0, detail)

    def update(self, completed: float, detail: str) -> None:
        if self._live is not None:
            self._live.update(self._task, detail=f"{self._run} · {self._step}: {detail}")
