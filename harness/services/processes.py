"""Child processes that never outlive their parent, however the parent dies."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from harness.core.errors import ChildBroke, ExitCode, ServiceFailed
from harness.core.outermost import REPORT_IT

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STOP_GRACE_S = 5.0
LOG_TAIL_BYTES = 16 * 1024
# What a log may say, most specific first, and what that means for the user. Each program has its own list: the same
# words mean one thing in the log of a JVM, and another in that of a gateway that Redis has refused.
Reasons = tuple[tuple[str, str], ...]
# Environment variables that hold secrets: each is meant for one program, and no other may have it. Of OpenTelemetry's,
# the headers and the endpoint may have a login, and no child exports anything.
SECRET_VARIABLE = re.compile(r"CHATBENCH_([A-Z]+_)?(PASSWORD|TOKEN)|OTEL_EXPORTER_OTLP_\w+")
PORT_TAKEN = "a port is in use; run the command again, it picks other ports"

# Loaded before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Child:
    """A running process, its name for the user, and its log."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, reasons: Reasons = ()) -> None:
        self.name = name
        self.process = process
        self.log = log
        self._reasons = reasons
        self._killed = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raise ServiceFailed if the process has ended, and not because of `kill`."""
        if (how := self.ending()) is not None:
            raise self.failed(f"{how}; its log is {self.log}")

    def failed(self, told: str) -> ServiceFailed:
        """The error for a process that has ended: ChildBroke if a mistake of its own ended it."""
        if self.process.poll() == ExitCode.UNEXPECTED:
            return ChildBroke(f"{told}; {REPORT_IT}")
        return ServiceFailed(told)

    def ending(self) -> str | None:
        """How and why it ended; None while it runs, and after `kill`."""
        code = self.process.poll()
        if code is None or self._killed:
            return None
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{self.name} {how}: {self.reason()}"

    def reason(self) -> str:
        """Why it ended, from its log."""
        return reason_in(self.log, self._reasons)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def pause(self) -> None:
        """Stop it until `resume`; its connections stay open."""
        if self.is_running:
            self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.is_running:
            self.process.send_signal(signal.SIGCONT)

    def await_end(self) -> None:
        """Wait for the end of a process that has closed its connection: only then is its log complete."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_GRACE_S)

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Ask it to end, and kill it if it has not ended after `grace_s`. Returns when it has ended."""
        if self.is_running:
            self.process.terminate()
            self.resume()  # a paused process would not handle the signal
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        """Kill it at once: it has nothing to save, or a fault asks for that."""
        self._killed = True
        self.process.kill()
        self.process.wait()


def spawn(
    name: str,
    argv: Sequence[str],
    log: Path,
    *,
    stdin: bytes = b"",
    pass_fds: Sequence[int] = (),
    reasons: Reasons = (),
    cwd: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    secrets: Sequence[str] = (),
) -> Child:
    """Start a process that the kernel kills when this process dies. Raises ServiceFailed.

    `reasons` are the reasons for ending that only this program has. `environment` is added to that of this process,
    without any SECRET_VARIABLE except those named in `secrets`.

    Call it from the main thread: PR_SET_PDEATHSIG follows the thread that made the child, not the process. The child
    gets a session of its own, so that Ctrl-C in a terminal reaches only chatbench, which stops its children in order.

    A child that is a Python program never imports from the working directory, nor does anything that it starts: a
    queue.py or a folder harness/ that happens to be there is not part of chatbench.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the line above
                os._exit(1)

    with log.open("ab") as sink:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                cwd=cwd,
                # PYTHONSAFEPATH does what `python -P` does, also for the children of the child.
                env={**_environment(secrets), "PYTHONSAFEPATH": "1", **environment},
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only a system call on a library loaded before the fork
            )
        except OSError as problem:
            raise ServiceFailed(f"{name} could not be started: {problem}") from problem
    assert process.stdin is not None
    try:
        process.stdin.write(stdin)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended already; check() tells why
    return Child(name, process, log, reasons)


def _environment(secrets: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in secrets or not SECRET_VARIABLE.fullmatch(name)}


# Errors of the operating system mean the same in every program.
REASONS_OF_ALL: Reasons = (
    ("No space left on device", "the disk is full; free some space or set TMPDIR to a larger one"),
    ("Address already in use", PORT_TAKEN),
    ("Too many open files", "the limit of open files is too low; raise it (ulimit -n)"),
)


def reason_in(log: Path, reasons: Reasons = ()) -> str:
    """Why the process that wrote this log ended: a known cause in plain words, else the log's last line.

    `reasons` of the program itself take precedence over REASONS_OF_ALL.
    """
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            tail = stream.read().decode(errors="replace")
    except OSError as problem:
        return f"no log ({problem.strerror})"
    if (known := known_reason(tail, reasons)) is not None:
        return known
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def known_reason(text: str, reasons: Reasons) -> str | None:
    """What the text means for the user, by the program's own reasons or else by REASONS_OF_ALL; None: not known."""
    for mark, meaning in (*reasons, *REASONS_OF_ALL):
        if mark.lower() in text.lower():
            return meaning
    return None


def wait_until_listening(child: Child, port: int, timeout_s: float) -> None:
    """Wait until the child accepts connections; raises ServiceFailed if it ends first or takes too long."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        child.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ServiceFailed(
        f"{child.name} did not accept connections on port {port} within {timeout_s:g} s: "
        f"{child.reason()}; its log is {child.log}"
    )
