"""Looks up what can be named on the command line: architectures and peers by entry point, scenarios by file."""

from __future__ import annotations

import ast
import contextlib
import difflib
import hashlib
import inspect
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from architectures.interface import Architecture, Candidate, Role
from harness.core.errors import UsageError
from harness.core.escapes import is_plain
from harness.core.options import BadOption, choose_options
from peers.interface import Peer

ARCHITECTURES = "chatbench.architectures"
PEERS = "chatbench.peers"
MEMBERS = "chatbench.locust"
SHAPES = ("Shape", "LoadTestShape")  # the base classes of load shapes: chatbench's and Locust's
SCENARIOS_DIR = Path(str(resources.files("scenarios")))
Kind = TypeVar("Kind", bound=Candidate)


@cache
def _entries(group: str) -> Mapping[str, EntryPoint]:
    """Return the installed entry points by name; the first wins if two have the same name.

    The result is cached, because finding entry points reads the files of every package.
    """
    return {entry.name: entry for entry in reversed(entry_points(group=group))}


def architecture_names() -> list[str]:
    return sorted(_entries(ARCHITECTURES))


def peer_names() -> list[str]:
    return sorted(_entries(PEERS))


def named(role: Role) -> list[str]:
    """Return the architectures with this role; raises UsageError if an installed one cannot be imported."""
    return [name for name in architecture_names() if load_architecture(name).role is role]


def candidates() -> list[str]:
    """Return the architectures that are compared by default: those that could be used in production."""
    return named(Role.CANDIDATE)


def baseline_of(names: Iterable[str]) -> str:
    """Return the architecture that the others are compared with: one marked as a baseline, or else the first."""
    given = sorted(names)
    return next((name for name in given if (kind := _known(name)) is not None and kind.baseline), given[0])


def is_floor(name: str) -> bool:
    """Return whether it is one gateway without a backend; False if it is not installed where its record is read."""
    kind = _known(name)
    return kind is not None and kind.role is Role.FLOOR


def colour_of(name: str) -> str | None:
    """Return its colour in charts; None if it has none, or is not installed where its record is read."""
    kind = _known(name)
    return None if kind is None else kind.colour


def _known(name: str) -> type[Candidate] | None:
    try:
        return load_candidate(name)
    except UsageError:
        return None


def load_candidate(name: str) -> type[Candidate]:
    """Return the architecture or peer of that name; raises UsageError, which suggests the nearest name."""
    for group in (ARCHITECTURES, PEERS):
        if (entry := _entries(group).get(name)) is not None:
            return _load(entry, Architecture if group == ARCHITECTURES else Peer)
    raise UsageError(_unknown("architecture", name, [*architecture_names(), *peer_names()]))


def load_architecture(name: str) -> type[Architecture]:
    """Return the architecture of that name, for commands that cannot use peers; raises UsageError."""
    candidate = load_candidate(name)
    if issubclass(candidate, Architecture):
        return candidate
    raise UsageError(
        f"{name} brings its own gateway, which can only be measured; use it with `chatbench run` or `chatbench compare`"
    )


def _load(entry: EntryPoint, kind: type[Kind]) -> type[Kind]:
    try:
        loaded = entry.load()
    except Exception as problem:
        raise UsageError(
            f"the architecture {entry.name!r} ({entry.value}) cannot be imported: {problem}; "
            "repair or uninstall the package that provides it"
        ) from problem
    if not (isinstance(loaded, type) and issubclass(loaded, kind)):
        raise UsageError(f"the architecture {entry.name!r} ({entry.value}) is not a subclass of {kind.__name__}")
    return loaded


def scenario_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(SCENARIOS_DIR.glob("[!_]*.py"))}


def source_digests(members: Iterable[type]) -> dict[str, str]:
    """Return, for each class of a scenario by its name, the SHA-256 of the file that defines it."""
    files = {member.__name__: Path(inspect.getfile(member)) for member in members}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def find_scenario(name_or_path: str) -> Path:
    """Return the path of the locustfile with that name or path; raises UsageError if there is none."""
    known = scenario_files()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if not is_plain(str(path.absolute())):
        raise UsageError(
            f"there is a character in {name_or_path!r} that a record cannot hold; rename that file or folder"
        )
    if path.suffix == ".py":
        if path.is_file():
            return path.resolve()
        raise UsageError(f"there is no scenario file {name_or_path!r}; give the path of a locustfile that exists")
    raise UsageError(_unknown("scenario", name_or_path, known))


def scenario_summary(path: Path) -> str:
    """Return the first line of the locustfile's docstring, without running the file."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def scenario_options(path: Path) -> dict[str, Any]:
    """Return the scenario's options and their defaults, without running the file; only literal ones can be read."""
    options: dict[str, Any] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "options" for to in node.targets):
            with contextlib.suppress(ValueError):
                options |= ast.literal_eval(node.value)
    return options


def scenario_cycle_s(path: Path, given: Mapping[str, str]) -> float:
    """Return how long the scenario takes to show all that it does: the sum of the options that its `cycle` names.

    Members of several classes go through their cycles at the same time, so the longest counts. 0 if no class has a
    cycle, or if it is known only when the file runs.
    """
    cycles_s = [0.0]
    for value in _class_values(path, "cycle"):
        with contextlib.suppress(KeyError, ValueError, TypeError):
            options = {**scenario_options(path), **given}
            cycles_s.append(math.fsum(float(options[name]) for name in ast.literal_eval(value)))
    return max(cycles_s)


def _class_values(path: Path, name: str) -> list[ast.expr]:
    """Return what the classes of the file assign to an attribute in their bodies, with or without an annotation."""
    values: list[ast.expr] = []
    for node in (each for defined in _nodes(path) if isinstance(defined, ast.ClassDef) for each in defined.body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values += [node.value for to in targets if isinstance(to, ast.Name) and to.id == name]
    return values


def scenario_has_shape(path: Path) -> bool:
    """Return whether a class in the file is a load shape, which may end the load or send members away."""
    bases = [base for node in _nodes(path) if isinstance(node, ast.ClassDef) for base in node.bases]
    return any(ast.unparse(base).rpartition(".")[2] in SHAPES for base in bases)


def _nodes(path: Path) -> list[ast.AST]:
    """The nodes of the file; none if it cannot be parsed, which the run that loads it reports."""
    try:
        return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, SyntaxError):
        return []


def check_scenario_options(path: Path, given: Mapping[str, str]) -> None:
    """Raise UsageError for mistakes that can be found without running the file; the run itself finds the others."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return
    options, ranges = _class_attribute(tree, "options"), _class_attribute(tree, "option_ranges")
    if options is None or ranges is None:
        return
    try:
        choose_options(options, given, ranges)
    except BadOption as problem:
        raise UsageError(f"--set: the scenario {path.stem} {problem}") from problem


def _class_attribute(tree: ast.Module, name: str) -> dict[str, Any] | None:
    """Merge the attribute over all classes of a scenario; None if its value is known only when the file runs."""
    defined = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == MEMBERS]
    known = {each.name for each in defined} | {alias.name for node in imports for alias in node.names}
    if any(not isinstance(base, ast.Name) or base.id not in known for each in defined for base in each.bases):
        return None  # a class inherits from another file
    attribute: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            try:
                attribute |= ast.literal_eval(node.value)
            except (ValueError, TypeError):
                return None
        elif isinstance(node, ast.AnnAssign | ast.AugAssign) and ast.unparse(node.target) == name:
            return None
    return attribute


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {kind} {name!r}; {hint}known: {', '.join(names)}"
