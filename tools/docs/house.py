"""Generates docs/map.md: the layers, their folders and every module, from imports and the docstrings' first lines.

python -m tools.docs.house
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAP = ROOT / "docs" / "map.md"
BEGIN, END = "<!-- house -->\n", "<!-- /house -->\n"
# From the lowest layer to the highest. A folder imports from itself and from folders below it, and from none above.
FLOORS = (
    "architectures",
    "peers",
    "harness/analysis",
    "harness/measure",
    "harness/ledger",
    "harness/core",
    "harness/gateway",
    "harness/services",
    "harness/ipc",
    "harness/audience",
    "harness/load",
    "harness/runs",
    "harness/results",
    "harness/experiments",
    "harness/report",
    "harness/serve",
    "harness/cli",
    "chatbench",
    "scenarios",
    "tools",
)
Imports = Mapping[str, frozenset[str]]


def modules() -> dict[str, Path]:
    """Return every module of these folders, by its dotted name."""
    files = (
        path for top in sorted({floor.partition("/")[0] for floor in FLOORS}) for path in (ROOT / top).rglob("*.py")
    )
    return {_dotted(path): path for path in files}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports() -> Imports:
    """Return for each module the modules that it imports, including imports in functions and for type checking."""
    known = modules()
    return {name: frozenset(_imported(ast.parse(path.read_bytes()), known) - {name}) for name, path in known.items()}


def _imported(tree: ast.Module, known: Mapping[str, Path]) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(known)


def room_of(module: str) -> str:
    """Return the folder in FLOORS that contains a module, or '' for a package that only contains such folders."""
    path = module.replace(".", "/")
    return next((floor for floor in FLOORS if path == floor or path.startswith(f"{floor}/")), "")


def upward(graph: Imports) -> list[str]:
    """Return the imports from a higher layer, each as `importer -> imported`."""
    floors = {floor: number for number, floor in enumerate(FLOORS)}
    pairs = [(name, other) for name, others in graph.items() for other in sorted(others)]
    return [f"{a} -> {b}" for a, b in pairs if floors.get(room_of(b), -1) > floors.get(room_of(a), len(FLOORS))]


def circles(graph: Imports) -> list[list[str]]:
    """Return the import cycles: each list has the modules that can all reach each other by imports."""
    reach = {name: _reachable(graph, name) for name in graph}
    cycles = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in graph if a in reach[a]}
    return [list(cycle) for cycle in sorted(cycles)]


def _reachable(graph: Imports, start: str) -> set[str]:
    found: set[str] = set()
    left = list(graph[start])
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += graph[name]
    return found


def page() -> str:
    """Return the part of docs/map.md between the markers."""
    return "\n".join([*_picture(), "", *_tables()]) + "\n"


def _picture() -> Iterator[str]:
    """Yield the diagram of imports between folders; an arrow that follows from others is left out."""
    graph = imports()
    rooms: dict[str, set[str]] = {floor: set() for floor in FLOORS}
    for name, others in graph.items():
        if room := room_of(name):
            rooms[room] |= {room_of(other) for other in others} - {room, ""}
    reach = {room: _reachable({key: frozenset(value) for key, value in rooms.items()}, room) for room in rooms}
    yield "```mermaid"
    yield "flowchart TB"
    for room in reversed(FLOORS):
        yield f'  {_id(room)}["{room}"]'
    for room in reversed(FLOORS):
        for below in sorted(rooms[room], key=FLOORS.index, reverse=True):
            if not any(below in reach[between] for between in rooms[room] - {below}):
                yield f"  {_id(room)} --> {_id(below)}"
    yield "```"


def _id(room: str) -> str:
    return room.replace("/", "_")


def _tables() -> Iterator[str]:
    known = modules()
    for room in FLOORS:
        inside = {name: path for name, path in known.items() if room_of(name) == room}
        package = inside.pop(room.replace("/", "."), None)
        yield f"## {room}/\n"
        if package is not None:
            yield f"{_first_line(package)}\n"
        yield "| module | its one idea |"
        yield "| --- | --- |"
        for _, path in sorted(inside.items()):
            if path.name != "__init__.py":
                yield f"| `{path.relative_to(ROOT)}` | {_first_line(path)} |"
        yield ""


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_bytes())) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("|", "\\|")


def main() -> None:
    before, _, rest = MAP.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    MAP.write_text(f"{before}{BEGIN}{page()}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
