"""What can be named on the command line: architectures (by entry point) and scenarios (by file)."""

from __future__ import annotations

import ast
import contextlib
import difflib
import hashlib
import inspect
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
SCENARIOS_DIR = Path(str(resources.files("scenarios")))
Kind = TypeVar("Kind", bound=Candidate)


@cache
def _entries(group: str) -> Mapping[str, EntryPoint]:
    """What is installed, by name; of two of one name the first. Finding them reads the files of every package."""
    return {entry.name: entry for entry in reversed(entry_points(group=group))}


def architecture_names() -> list[str]:
    return sorted(_entries(ARCHITECTURES))


def peer_names() -> list[str]:
    return sorted(_entries(PEERS))


def named(role: Role) -> list[str]:
    """The architectures that have this role. Raises UsageError if one that is installed cannot be imported."""
    return [name for name in architecture_names() if load_architecture(name).role is role]


def candidates() -> list[str]:
    """What is compared unless others are named: every way to do it for real."""
    return named(Role.CANDIDATE)


def baseline_of(names: Iterable[str]) -> str:
    """The one that the others are shown as so many times of: one that calls itself a baseline, or else the first."""
    given = sorted(names)
    return next((name for name in given if (kind := _known(name)) is not None and kind.baseline), given[0])


def colour_of(name: str) -> str | None:
    """Its line in charts; None for one that has none, or is not installed here, as its record may be."""
    kind = _known(name)
    return None if kind is None else kind.colour


def _known(name: str) -> type[Candidate] | None:
    try:
        return load_candidate(name)
    except UsageError:
        return None


def load_candidate(name: str) -> type[Candidate]:
    """The architecture or peer of that name; raises UsageError, with the nearest name, if there is none."""
    for group in (ARCHITECTURES, PEERS):
        if (entry := _entries(group).get(name)) is not None:
            return _load(entry, Architecture if group == ARCHITECTURES else Peer)
    raise UsageError(_unknown("architecture", name, [*architecture_names(), *peer_names()]))


def load_architecture(name: str) -> type[Architecture]:
    """As load_candidate, for what only chatbench's own gateway can do."""
    candidate = load_candidate(name)
    if issubclass(candidate, Architecture):
        return candidate
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


def check_scenario_options(path: Path, given: Mapping[str, str]) -> None:
    """Raise UsageError for what can be seen to be wrong without running the file; the rest is told when it is run."""
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
    """What the members of a scenario have of it together; None where only running the file could tell."""
    defined = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == MEMBERS]
    known = {each.name for each in defined} | {alias.name for node in imports for alias in node.names}
    if any(not isinstance(base, ast.Name) or base.id not in known for each in defined for base in each.bases):
        return None  # derived from what another file has
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
