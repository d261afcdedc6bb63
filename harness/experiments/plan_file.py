"""What a command of many runs was asked for: kept in its folder, so that it can go on after an interruption."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.core.errors import UsageError

Kind = TypeVar("Kind", bound=msgspec.Struct)


def note(folder: Path, file: str, asked: Any) -> None:
    """`asked` is a struct with a field `command`, which is set to the command line as it is."""
    complete = msgspec.structs.replace(asked, command=("chatbench", *sys.argv[1:]))
    (folder / file).write_bytes(msgspec.json.format(msgspec.json.encode(complete)))


def read_again(folder: Path, file: str, kind: type[Kind], command: str) -> Kind:
    """What was noted there; raises UsageError if it is no folder of that command."""
    try:
        return msgspec.json.decode((folder / file).read_bytes(), type=kind)
    except OSError as problem:
        raise UsageError(
            f"{str(folder)!r} is no folder that `chatbench {command}` made ({file}: {problem.strerror}); "
            f"name one that has a {file}"
        ) from problem
    except msgspec.DecodeError as problem:
        raise UsageError(
            f"{str(folder)!r} is no folder that `chatbench {command}` made "
            f"(its {file} is not what that writes: {problem}); name another"
        ) from problem
