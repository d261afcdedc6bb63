"""What can be named on the command line: architectures (by entry point) and scenarios (by file)."""

from __future__ import annotations

import ast
import contextlib
import difflib
import hashlib
import inspect
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import scenarios
from architectures.interface import Architecture, Contender
from harness.errors import UsageError
from harness.escapes import is_plain
from peers.interface import Peer

ARCHITECTURES = "chatbench.architectures"
PEERS = "chatbench.peers"
SCENARIOS_DIR = Path(scenarios.__file__).parent
Kind = TypeVar("Kind", bound=Contender)


def architecture_names() -> list[str]:
    return sorted(entry.name for entry in entry_points(group=ARCHITECTURES))


def peer_names() -> list[str]:
    return sorted(entry.name for entry in entry_points(group=PEERS))


def load_contender(name: str) -> type[Contender]:
    """The architecture or peer of that name; raises UsageError, with the nearest name, if there is none."""
    for group in (ARCHITECTURES, PEERS):
        for entry in entry_points(group=group):
            if entry.name == name:
                return _load(entry, Architecture if group == ARCHITECTURES else Peer)
    raise UsageError(_unknown("architecture", name, [*architecture_names(), *peer_names()]))


def load_architecture(name: str) -> type[Architecture]:
    """As load_contender, for what only chatbench's own gateway can do."""
    contender = load_contender(name)
    if issubclass(contender, Architecture):
        return contender
    raise UsageError(
        f"{name} is a gateway of its own, which can only be measured; "
        "use it with `chatbench run` or `chatbench compare`"
    )


def _load(entry: EntryPoint, kind: type[Kind]) -> type[Kind]:
    try:
        loaded = entry.load()
    except Exception as problem:
        raise UsageError(
            f"the architecture {entry.name!r} ({entry.value}) cannot be imported: {problem}; "
            "mend or uninstall the package that brings it"
        ) from problem
    if not (isinstance(loaded, type) and issubclass(loaded, kind)):
        raise UsageError(f"the architecture {entry.name!r} ({entry.value}) is no subclass of {kind.__name__}")
    return loaded


def scenario_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(SCENARIOS_DIR.glob("[!_]*.py"))}


def source_digests(members: Iterable[type]) -> dict[str, str]:
    """Of each of a scenario's classes, by its name: SHA-256 of the file that it is from."""
    files = {member.__name__: Path(inspect.getfile(member)) for member in members}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def find_scenario(name_or_path: str) -> Path:
    """The locustfile of that name, or at that path; raises UsageError if there is none."""
    known = scenario_files()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if not is_plain(str(path.absolute())):
        raise UsageError(
            f"there is a character in {name_or_path!r} that cannot be written down; rename that file or folder"
        )
    if path.suffix == ".py":
        if path.is_file():
            return path.resolve()
        raise UsageError(f"there is no scenario file {name_or_path!r}; give the path of a locustfile that exists")
    raise UsageError(_unknown("scenario", name_or_path, known))


def scenario_summary(path: Path) -> str:
    """The first line of the locustfile's docstring, read without running the file."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def scenario_options(path: Path) -> dict[str, Any]:
    """The scenario's own options and their defaults, read without running the file; only plain ones can be read so."""
    options: dict[str, Any] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "options" for to in node.targets):
            with contextlib.suppress(ValueError):
                options |= ast.literal_eval(node.value)
    return options


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {kind} {name!r}; {hint}known: {', '.join(names)}"
