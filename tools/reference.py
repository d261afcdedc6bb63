"""`make reference`: measures everything in results/reference/ again, which takes about three hours on two cores.

Each part is one chatbench command. After an interruption, a second start continues with the parts that are missing. The
new parts replace the old ones only when all are complete. `python -m tools.reference NAME ...` does the same for some
parts.
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
SMALL_ROOMS = ("--scenario", "many_rooms", "--gateways", "4", "--members", "200", "--rate", "100", "--rate", "500")


def _archs(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in ("--arch", name))


# The four architectures of the design note, and the peers that people use today.
PEERS = _archs("plan1", "plan2", "redis", "kafka-redis", "socketio", "python-socketio", "channels")
KEEPERS = _archs("plan1", "plan2", "kafka-broadcast", "redis-streams")  # these keep the history of rooms
# A storm comes every ten seconds, so that these runs must be longer than those of other comparisons.
STORM = (
    *("--scenario", "reconnect_storm", "--members", "200", "--rate", "100"),
    *("--duration", "30s", "--warmup", "10s", "--rounds", "3"),
)
PARTS: dict[str, tuple[str, ...]] = {
    "big_room": ("compare",),
    "many_rooms": ("compare", *SMALL_ROOMS),
    "batching": (
        *("compare", *_archs("plan1", "plan2"), "--members", "4"),
        *("--rate", "20", "--rate", "1k", "--rate", "2k", "--duration", "10s", "--warmup", "3s"),
    ),
    "peers_big_room": ("compare", *PEERS),
    "peers_many_rooms": ("compare", *PEERS, *SMALL_ROOMS),
    "reconnect_storm": ("compare", *KEEPERS, *_archs("redis"), *STORM),
    "no_storm": ("compare", *KEEPERS, *STORM, "--set", "storm_s=600"),  # the first storm would come long after the end
    "capacity": ("capacity", *_archs("redis")),
    "claims": ("claims",),
    "costs": ("costs",),
    "faults": ("faults", "--rounds", "2"),
}
# The reference includes runs whose driver was not valid; their records say so.
MEASURED = (ExitCode.OK, ExitCode.DRIVER_NOT_VALID)
# Files left out of the many runs of claims and costs, whose figures do not need them.
DETAILS = ("charts", "latency.hgrm", *(f"{name}.hdr" for name in HISTOGRAMS), "locust_stats.csv")
LEFT_OUT = dict.fromkeys(("claims", "costs"), DETAILS)


def measure(name: str, folder: Path) -> Path:
    """Run the part's command in `folder`, unless it is complete there, and return the folder that it has written."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = sorted(path for path in folder.iterdir() if path.is_dir())
    done = folder / "done"
    if done.exists():
        return begun[-1]
    command, *arguments = PARTS[name]
    resumable = begun and command in {"compare", "claims", "costs"}
    # The paths are relative, so that no record contains a folder of this machine.
    rest = ["--resume", _in_the_checkout(begun[-1])] if resumable else [*arguments, "--out", _in_the_checkout(folder)]
    answer = subprocess.run([sys.executable, "-m", "harness.cli", command, *rest], cwd=ROOT, check=False)
    if answer.returncode not in MEASURED:
        sys.exit(f"{name}: chatbench {command} exited with {answer.returncode}; to continue, run: make reference")
    done.touch()
    return sorted(path for path in folder.iterdir() if path.is_dir())[-1]


def _in_the_checkout(path: Path) -> str:
    return str(path.relative_to(ROOT))


def put_in_place(name: str, made: Path, reference: Path) -> None:
    """Replace the part in the reference, without logs, and for studies without charts and details of single runs."""
    target = reference / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(made, target, ignore=shutil.ignore_patterns("logs"))
    for run in (path.parent for path in (target / "runs").rglob("summary.json")):
        for each in LEFT_OUT.get(name, ()):
            path = run / each
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def main(chosen: Sequence[str]) -> None:
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        sys.exit(f"{unknown[0]} is not a part of the reference; the parts are {', '.join(PARTS)}")
    made = {name: measure(name, MAKING / name) for name in chosen or PARTS}
    for name, folder in made.items():
        put_in_place(name, folder, REFERENCE)
        shutil.rmtree(MAKING / name)
    ship()
    quotes.main()


def ship() -> None:
    """Write the data that `chatbench advise` uses from the reference into the package."""
    runs = REFERENCE / "costs" / "runs"
    shipped.write(read_points([runs / FITTED]), read_points([runs / HELD_OUT]), read_readable(REFERENCE / "claims"))


if __name__ == "__main__":
    main(sys.argv[1:])
