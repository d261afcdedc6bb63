"""Generates docs/contract.md: what other programs may rely on, from the code that implements it.

python -m tools.docs.contract > docs/contract.md
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.core import protocol
from harness.core.errors import ExitCode
from harness.runs.summary import SCHEMA

MEANING = {
    ExitCode.OK: "the command succeeded",
    ExitCode.USAGE: "the options or the scenario are wrong; the error says what would be right",
    ExitCode.SERVICE_FAILED: "a broker, a gateway, the network or the disk failed",
    ExitCode.DRIVER_NOT_VALID: "the driver was too slow for its latencies to count",
    ExitCode.CHECK_FAILED: "a promise was broken (`faults`), or a calibration did not hold (`selftest`)",
    ExitCode.UNEXPECTED: "a bug in chatbench; the error names the log to report",
    ExitCode.INTERRUPTED: "a signal ended the command; the measurements up to then are recorded",
}
HEAD = f"""\
# The contract

Scripts, dashboards and clients may rely on everything on this page. Each change of it is in the
[changelog](../CHANGELOG.md) under *Contract*.

- **The Python API**: what [api.md](api.md) lists.
- **The record of a run**: the files that [record.md](record.md) lists, and the keys, types and units of `summary.json`,
  of the frames and of every `--json` answer, which [data.md](data.md) lists. `null` and an empty cell mean *not
  measured*.
- **`schema`** in `summary.json` is {SCHEMA}. It increases when a key changes its meaning or is removed; a new key does
  not change it. A record without it was written by 0.1.0 and counts as schema 1.
- **The interface of an architecture**: [plugins.md](plugins.md).

## Exit codes

| code | meaning |
| ---: | --- |
"""
WIRE = """\

## The frames between a member and a gateway

A member connects to a gateway's address with a WebSocket. Each text frame is one JSON object, whose key `t` names the
kind of frame. If the gateway has a token, the handshake must carry it, as `Authorization: Bearer TOKEN` or as
`?token=TOKEN`. A gateway closes the connection with code 1008 and a reason if a member exceeds a limit. Keys that have
their default value may be left out.
"""


def page() -> str:
    codes = [f"| {code.value} | {MEANING[code]} |" for code in ExitCode]
    frames = [
        *_frames("From a member", protocol.ClientFrame),
        *_frames("From a gateway", protocol.GatewayFrame),
    ]
    return HEAD + "\n".join([*codes, WIRE, *frames]).rstrip() + "\n"


def _frames(heading: str, union: Any) -> Iterator[str]:
    yield f"### {heading}\n"
    for frame in typing.get_args(union):
        config = frame.__struct_config__
        yield f"**`{config.tag}`**{_description(frame)}\n"
        yield "| key | type | meaning |"
        yield "| --- | --- | --- |"
        comments = _comments(frame)
        for field in msgspec.structs.fields(frame):
            yield f"| `{field.encode_name}` | {_type(field.type)} | {comments.get(field.name, '')} |"
        yield ""


def _description(frame: type) -> str:
    """Return the frame's docstring, but not the one that msgspec generates from the fields if there is none."""
    text = " ".join((frame.__doc__ or "").split())
    return "" if text.startswith(f"{frame.__name__}(") or not text else f": {text[:1].lower()}{text[1:]}"


def _comments(frame: type) -> dict[str, str]:
    """Return the comment behind each field, by field name."""
    return dict(re.findall(r"^ +(\w+): [^#\n]+#\s*(.*)$", inspect.getsource(frame), re.MULTILINE))


def _type(kind: Any) -> str:
    """Return the type in words, with the bounds that are checked."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_type(each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Annotated:
        base, meta = typing.get_args(kind)
        least, most = (
            (meta.min_length, meta.max_length)
            if base is str
            else (meta.ge, meta.lt - 1 if meta.le is None else meta.le)
        )
        unit = " characters" if base is str else ""
        bound = f"at most {most:,}{unit}" if not least else f"{least:,} to {most:,}{unit}"
        return f"{_type(base)}, {bound}"
    return {str: "text", int: "integer", bool: "boolean", types.NoneType: "null"}[kind]


if __name__ == "__main__":
    sys.stdout.write(page())
