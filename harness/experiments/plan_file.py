"""The plan of a command that makes many runs, stored in its folder so that it can resume after an interruption."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.core.errors import UsageError

Kind = TypeVar("Kind", bound=msgspec.Struct)


def note(folder: Path, file: str, plan: Kind) -> Kind:
    """Write the plan as JSON and return it, with its field `command` set to the command line of this process."""
    complete = msgspec.structs.replace(plan, command=("chatbench", *sys.argv[1:]))
    (folder / file).write_bytes(msgspec.json.format(msgspec.json.encode(complete)))
    return complete


def read_again(folder: Path, file: str, kind: type[Kind], command: str) -> Kind:
    """The plan in that folder; raises UsageError if that command did not make the folder."""
    try:
        return msgspec.json.decode((folder / file).read_bytes(), type=kind)
    except OSError as problem:
        raise UsageError(
            f"{str(folder)!r} is not a folder that `chatbench {command}` made ({file}: {problem.strerror}); "
            f"name one that has a {file}"
        ) from problem
    except msgspec.DecodeError as problem:
        raise UsageError(
            f"{str(folder)!r} is not a folder that `chatbench {command}` made "
            f"(its {file} has another format: {problem}); name another"
        ) from problem
