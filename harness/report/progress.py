"""What one sees while a run goes on: a live line on a terminal, a plain line per step elsewhere. Always on stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 10.0


class RunProgress:
    """Use as a context manager; `step` begins something new, `update` says how far it is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Progress | None = None
        if console.is_terminal:
            self._live = Progress(
                TextColumn("[bold]{task.description:<12}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[detail]}"),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
        self._task: TaskID | None = None
        self._said_at = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def step(self, name: str, detail: str = "", total: float | None = None) -> None:
        if self._live is None:
            self._console.print(f"{name}: {detail}" if detail else name, highlight=False)
            self._said_at = time.monotonic()
            return
        if self._task is not None:
            self._live.remove_task(self._task)
        self._task = self._live.add_task(name, total=total, detail=detail)

    def update(self, completed: float, detail: str) -> None:
        if self._live is not None:
            assert self._task is not None
            self._live.update(self._task, completed=completed, detail=detail)
        elif time.monotonic() - self._said_at > PLAIN_EVERY_S:
            self._said_at = time.monotonic()
            self._console.print(f"  {detail}", highlight=False)
