"""How much of a JVM's CPU time its compiler and its garbage collector use, rather than the program that runs on it.

A JVM compiles what it runs often, so a program that has just started spends much of its CPU time in the compiler. Linux
tells the CPU time of each thread, and HotSpot names its threads by what they do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
COMPILER, COLLECTOR = "compiler", "collector"
# The beginnings of HotSpot's names, of which Linux keeps 15 characters. "Training replay" compiles at the start what
# earlier runs have used. "VM Thread" is among the collector's, because the serial collector works in it.
KINDS = {
    **dict.fromkeys(("C1 Compiler", "C2 Compiler", "JVMCI", "Training replay"), COMPILER),
    **dict.fromkeys(("VM Thread", "GC Thread", "G1 ", "ZWorker", "ZDriver", "Shenandoah"), COLLECTOR),
}


class JvmCpu(NamedTuple):
    """CPU time of some threads of JVMs, in seconds."""

    compiler_s: float
    collector_s: float

    def since(self, before: JvmCpu) -> JvmCpu:
        return JvmCpu(self.compiler_s - before.compiler_s, self.collector_s - before.collector_s)


def is_jvm(pid: int, proc: Path = PROC) -> bool:
    """Whether the process is a JVM whose threads Linux can tell apart."""
    return any(name == "VM Thread" and _cpu_ns(thread) is not None for thread, name in _threads(proc / str(pid)))


class JvmThreads:
    """The compiler and collector threads of some JVMs. Read it regularly.

    A thread that has ended takes with it what it used since the last reading, which then counts as the program's. The
    compiler ends only threads that have been idle for a while, so this is little if it is read each second.
    """

    def __init__(self, pids: Sequence[int], proc: Path = PROC) -> None:
        self._folders = [proc / str(pid) for pid in pids]
        self._used_ns: Counter[str] = Counter()
        self._threads_ns: dict[Path, int] = {}
        self._read_threads()
        self._used_ns.clear()  # what they used before does not count

    def read(self) -> JvmCpu | None:
        """Return the CPU time since this object was made. None: one of the processes has ended."""
        if not self._read_threads():
            return None
        return JvmCpu(self._used_ns[COMPILER] / 1e9, self._used_ns[COLLECTOR] / 1e9)

    def _read_threads(self) -> bool:
        threads_ns: dict[Path, int] = {}
        for folder in self._folders:
            threads = list(_threads(folder))
            if not threads:
                return False
            for thread, name in threads:
                kind = _kind(name)
                if kind is None or (used_ns := _cpu_ns(thread)) is None:
                    continue
                threads_ns[thread] = used_ns
                before_ns = self._threads_ns.get(thread, 0)
                # Less than before means that another thread has got the number of one that has ended.
                self._used_ns[kind] += used_ns - (before_ns if used_ns >= before_ns else 0)
        self._threads_ns = threads_ns
        return True


def _kind(name: str) -> str | None:
    return next((kind for beginning, kind in KINDS.items() if name.startswith(beginning)), None)


def _threads(process: Path) -> list[tuple[Path, str]]:
    """Return the folder and the name of each thread of the process; empty if there is none, or nothing tells."""
    try:
        folders = list((process / "task").iterdir())
    except OSError:
        return []
    found = []
    for folder in folders:
        try:
            found.append((folder, (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()))
        except OSError:
            continue  # the thread has just ended
    return found


def _cpu_ns(thread: Path) -> int | None:
    try:
        return int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):  # it has just ended, or this kernel does not count
        return None
