"""Generates docs/api.md: the public API, from its docstrings.

python -m tools.docs.api > docs/api.md
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

MODULES = ("chatbench", "chatbench.locust", "chatbench.kafka", "chatbench.redis", "chatbench.testing")
HEAD = """\
# The Python API

These are the modules that users and plug-ins import. Each name is in `__all__` of its module, and each change of it is
in the [changelog](../CHANGELOG.md). Everything else may change without notice.

A notebook begins like this; [data.md](data.md) lists the columns:

```python
import chatbench

frames = chatbench.read_runs("results/reference/big_room", "results/reference/many_rooms")
complete = frames.runs[frames.runs["status"] == "complete"]
by_workload = complete.groupby(["scenario", "gateways", "arch"])
print(by_workload["cpu_system_us_per_delivery"].agg(["min", "median", "max", "count"]).round(1))

p99 = frames.percentiles[frames.percentiles["metric"] == "latency_p99_ms"]
print(p99.pivot(index="arch", columns=["scenario", "rate_per_s"], values="merged_ms").round(1))

seconds = frames.seconds[frames.seconds["phase"] == "measure"]
print(seconds.groupby(["scenario", "arch"])["latency_p99_ms"].max().round(1))
```
"""


def page() -> str:
    sections = (line for name in MODULES for line in _module(importlib.import_module(name)))
    return "\n".join([HEAD, *sections]).rstrip() + "\n"


def _module(module: ModuleType) -> Iterator[str]:
    yield f"## {module.__name__}\n"
    yield from _text(module)
    for name in module.__all__:
        yield from _member(module, name, getattr(module, name))


def _member(module: ModuleType, name: str, member: Any) -> Iterator[str]:
    if inspect.isclass(member):
        yield f"### `{module.__name__}.{name}`\n"
        yield from _text(member)
        own = [(each, value) for each, value in vars(member).items() if not each.startswith("_")]
        for each, value in own:
            function = inspect.unwrap(value.__func__ if isinstance(value, classmethod | staticmethod) else value)
            if isinstance(value, property) and value.__doc__:
                yield f"- `{each}`: {_folded(value)}"
            if inspect.isfunction(function) and not each.startswith("test_") and function.__doc__:
                yield f"- `{each}{_signature(function)}`: {_folded(function)}"
        yield ""
    elif inspect.isfunction(member):
        yield f"### `{module.__name__}.{name}{_signature(member)}`\n"
        yield from _text(member)
    else:
        yield f"### `{module.__name__}.{name}`\n"
        yield f"`{member!r}`\n"


def _text(member: object) -> Iterator[str]:
    """Yield the docstring, with its indented examples as code."""
    for block in (inspect.getdoc(member) or "").split("\n\n"):
        if block.startswith("    "):
            yield "```python"
            yield inspect.cleandoc(block)
            yield "```\n"
        else:
            yield f"{block}\n"


def _folded(member: object) -> str:
    return " ".join((inspect.getdoc(member) or "").split())


def _signature(function: Any) -> str:
    return str(inspect.signature(function)).replace("'", "")


if __name__ == "__main__":
    sys.stdout.write(page())
