"""Progress of runs on stderr: a live line on a terminal, otherwise a plain line for each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Live
from rich.text import Text

from harness.core.time_left import TimeLeft, left_text

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
    """The progress of a campaign: one bar over all runs and how long is left, and below it the step of the current run.

    Where there is no terminal, each event is one line.
    """

    def __init__(
        self,
        console: Console,
        runs: int,
        *,
        run_s: float | None = None,
        or_more: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`run_s` is how long a run will probably take. `or_more`: `runs` is only the least number of runs."""
        self._runs = runs
        self._or_more = or_more
        self._time = TimeLeft(run_s, clock)
        self._done = 0
        self._run = ""
        self._step = ""
        self._known = ""
        columns = (
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _Rendered(self._left),
        )
        live = _WithLineBelow(*columns, console=console, transient=True)
        super().__init__(live, console)
        self._task = live.add_task("compare", total=runs, detail="")

    def run(self, done: int, name: str) -> None:
        """Begin the run `name`, after `done` runs have ended."""
        self._done = done
        self._time.begin_run()
        self._begin(name)
        if self._live is None:
            self._print(f"run {done + 1} of {self._how_many()}: {name}")

    def aside(self, name: str, detail: str, at_most_s: float) -> None:
        """Begin something that is not one of the runs, and takes at most so long."""
        self._time.begin_aside(at_most_s)
        self._begin(f"{name}: {detail}")
        if self._live is None:
            self._print(f"{name}: {detail}")

    def finish(self, name: str, detail: str, about_s: float) -> None:
        """Begin what follows the last run, and takes about so long."""
        self._done = self._runs
        self._or_more = False
        self._time.begin_aside(about_s)
        self._begin(f"{name}: {detail}")
        if self._live is None:
            self._print(f"{name}: {detail}")

    def expect(self, runs: int, known: str, *, or_more: bool = False) -> None:
        """Say what is known so far, and how many runs there will probably be: exactly `runs`, or at least."""
        self._runs, self._or_more, self._known = runs, or_more, known
        if self._live is not None:
            self._live.update(self._task, total=runs)
        self._print(f"so far: {known}")

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        self._step = name
        self.update(0, detail)

    def update(self, completed: float, detail: str) -> None:
        if self._live is not None:
            self._show(f"{self._run} · {self._step}: {detail}")

    def _begin(self, name: str) -> None:
        self._run = name
        if self._live is not None:
            self._live.update(self._task, completed=self._done)
            self._show(name)

    def _show(self, what: str) -> None:
        assert self._live is not None
        self._live.update(self._task, detail=" · ".join(filter(None, [what, self._known])))

    def _print(self, line: str) -> None:
        """Print a line, unwrapped. On a terminal it stays above the bar, which shows the time that is left."""
        left = "" if self._live is not None else self._left()
        self._console.print(" · ".join(filter(None, [line, left])), soft_wrap=True)

    def _how_many(self) -> str:
        return f"{self._runs} or more" if self._or_more else f"{self._runs}"

    def _left(self) -> str:
        left = left_text(self._time.left_s(self._runs - self._done))
        return left.replace("about", "at least", 1) if self._or_more else left


class _Rendered(ProgressColumn):
    """A column whose text is made anew each time."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, _task: Task) -> Text:
        return Text(self._text())


class _WithLineBelow(Live):
    """A bar with the detail of its task in a line of its own, which is cut where the terminal ends."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text(task.fields["detail"], no_wrap=True, overflow="ellipsis")
