"""Processes that a `chatbench up` has started and another command uses, and how they are described to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil

from harness.core.errors import ServiceFailed
from harness.services.processes import Child

Description = TypeVar("Description", bound=msgspec.Struct)


class Borrowed(Child):
    """A process that is another's child: it can be measured and checked, and is never stopped."""

    def __init__(self, name: str, pid: int, log: Path, lender: int) -> None:
        """`lender` is the process id of the `chatbench up`. Raises psutil.NoSuchProcess."""
        self._process = psutil.Process(pid)
        self.name = f"{name} of the `chatbench up` with process id {lender}"
        self.log = log
        self._reasons = ()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        try:
            return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:  # it ended between the two questions
            return False

    def ending(self) -> str | None:
        return None if self.is_running else f"{self.name} has ended"

    def failed(self, told: str) -> ServiceFailed:
        """Only its parent knows its exit code."""
        return ServiceFailed(told)


def describe(description: msgspec.Struct) -> bytes:
    """The description as JSON, with paths as texts."""
    return msgspec.json.encode(description, enc_hook=str)


def read_description(described: bytes, kind: type[Description]) -> Description:
    """The reverse of `describe`; raises msgspec.DecodeError."""
    return msgspec.json.decode(described, type=kind, dec_hook=_path)


def _path(_kind: type, text: Any) -> Path:
    return Path(text)
