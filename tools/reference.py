"""`make reference`: everything in results/reference/, measured anew by one command, some three hours on two cores.

Each part is a command of chatbench's own. What is done already stays when it is interrupted and begun again; only when
all parts are there do they take the place of what was there before. `python -m tools.reference NAME ...` does the
same for some of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import ExitCode
from harness.experiments.costs import shipped
from harness.experiments.costs.grid import FITTED, HELD_OUT
from harness.experiments.costs.observations import read_points
from harness.experiments.costs.study import read_readable
from harness.runs.record import HISTOGRAMS
from tools.docs import quotes

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
MAKING = ROOT / "results" / "reference-in-the-making"
SMALL_ROOMS = ("--scenario", "many_rooms", "--gateways", "4", "--members", "200", "--rate", "100")


def _of(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in ("--arch", name))


# The four of the design note beside what people use today.
PEERS = _of("plan1", "plan2", "redis", "kafka-redis", "socketio", "python-socketio", "channels")
KEEPERS = _of("plan1", "plan2", "kafka-broadcast", "redis-streams")  # they keep what was said
STORM = ("--scenario", "reconnect_storm", "--members", "200", "--rate", "100")
PARTS: dict[str, tuple[str, ...]] = {
    "big_room": ("compare",),
    "many_rooms": ("compare", *SMALL_ROOMS),
    "batching": (
        *("compare", *_of("plan1", "plan2"), "--members", "4"),
        *("--rate", "20", "--rate", "1k", "--rate", "2k", "--duration", "10s", "--warmup", "3s"),
    ),
    "peers_big_room": ("compare", *PEERS),
    "peers_many_rooms": ("compare", *PEERS, *SMALL_ROOMS),
    "reconnect_storm": ("compare", *KEEPERS, *_of("redis"), *STORM),
    "no_storm": ("compare", *KEEPERS, *STORM, "--set", "storm_s=600"),  # the first one would come long after the end
    "capacity": ("capacity", *_of("redis")),
    "claims": ("claims",),
    "costs": ("costs",),
    "faults": ("faults", "--rounds", "2"),
}
# A driver that was late now and then is part of what is recorded.
MEASURED = (ExitCode.OK, ExitCode.DRIVER_NOT_VALID)
# Of the many runs behind claims and costs, what their figures need is kept.
DETAILS = ("charts", "latency.hgrm", *(f"{name}.hdr" for name in HISTOGRAMS), "locust_stats.csv")
LEFT_OUT = dict.fromkeys(("claims", "costs"), DETAILS)


def measure(name: str, folder: Path) -> Path:
    """The part's folder, which its command makes in `folder`, or has made there before."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = sorted(path for path in folder.iterdir() if path.is_dir())
    done = folder / "done"
    if done.exists():
        return begun[-1]
    command, *arguments = PARTS[name]
    resumable = begun and command in {"compare", "claims", "costs"}
    # Relative, so that no record names a folder of this machine.
    rest = ["--resume", _in_the_checkout(begun[-1])] if resumable else [*arguments, "--out", _in_the_checkout(folder)]
    answer = subprocess.run([sys.executable, "-m", "harness.cli", command, *rest], cwd=ROOT, check=False)
    if answer.returncode not in MEASURED:
        sys.exit(f"{name}: chatbench {command} ended with {answer.returncode}; go on with: make reference")
    done.touch()
    return sorted(path for path in folder.iterdir() if path.is_dir())[-1]


def _in_the_checkout(path: Path) -> str:
    return str(path.relative_to(ROOT))


def put_in_place(name: str, made: Path, reference: Path) -> None:
    """Instead of what was there before; without logs, and of studies without what is drawn and counted of each run."""
    there = reference / name
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(made, there, ignore=shutil.ignore_patterns("logs"))
    for run in (path.parent for path in (there / "runs").rglob("summary.json")):
        for each in LEFT_OUT.get(name, ()):
            path = run / each
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def main(chosen: Sequence[str]) -> None:
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        sys.exit(f"{unknown[0]} is no part of the reference; it has {', '.join(PARTS)}")
    made = {name: measure(name, MAKING / name) for name in chosen or PARTS}
    for name, folder in made.items():
        put_in_place(name, folder, REFERENCE)
        shutil.rmtree(MAKING / name)
    ship()
    quotes.main()


def ship() -> None:
    """What `chatbench advise` goes by, from the reference into the package."""
    runs = REFERENCE / "costs" / "runs"
    shipped.write(read_points([runs / FITTED]), read_points([runs / HELD_OUT]), read_readable(REFERENCE / "claims"))


if __name__ == "__main__":
    main(sys.argv[1:])
