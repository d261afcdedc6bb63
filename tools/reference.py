"""`make reference`: measures everything in results/reference/ again, in less than four hours on two cores.

Each part is one chatbench command. After an interruption, a second start continues with the parts that are missing. The
new parts replace the old ones only when all are complete. `python -m tools.reference NAME ...` does the same for some
parts. All parts that are made together are of one commit.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.core.errors import ExitCode
from harness.core.time_left import about_text
from harness.experiments.costs import shipped
from harness.experiments.costs.grid import FITTED
from harness.experiments.costs.observations import read_points
from harness.experiments.costs.study import read_readable, read_validating
from harness.runs.messages_file import MESSAGES_FILE
from harness.runs.record import HISTOGRAMS
from tools.docs import quotes

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
MAKING = ROOT / "results" / "reference-in-the-making"
COMMIT = "commit"  # the file in MAKING
SMALL_ROOMS = ("--scenario", "many_rooms", "--gateways", "4", "--members", "200", "--rate", "100", "--rate", "500")


class Part(NamedTuple):
    """A part of the reference: the command that measures it, and about how long that takes on two cores."""

    command: tuple[str, ...]
    minutes: float


def _archs(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in ("--arch", name))


# The peers that people use today, beside the architecture that copies to each gateway and the cheapest one.
PEERS = _archs("plan1", "redis", "socketio", "python-socketio", "channels")
ROOMS_OF_FIVE = ("--scenario", "many_rooms", "--members", "200")
PEERS_RATES = ("--rate", "20", "--rate", "100")  # two cores are too few for 250 messages/s by way of channels
KEEPERS = _archs("plan1", "plan2", "kafka-broadcast", "redis-streams")  # these keep the history of rooms
# A storm comes after five seconds, and everybody is back before eight.
STORM = (
    *("--scenario", "reconnect_storm", "--members", "200", "--rate", "100"),
    *("--duration", "12s", "--warmup", "2s", "--rounds", "3"),
)
# The minutes follow from the times between the runs in results/reference: the start and the end of a run take three to
# five seconds beside its phases (43 s for 30 + 10 s, 17 s for 10 + 3 s, 14 s for 8 + 2 s; 20 s more where a broker or a
# gateway is killed), and brokers are warmed for at most 90 s. Comparisons end with their budget, and then make charts.
PARTS: dict[str, Part] = {
    "one_run": Part(("run", "--arch", "plan1"), 1),
    "big_room": Part(("compare",), 10.5),
    "many_rooms": Part(("compare", *SMALL_ROOMS, "--budget", "8m"), 9),
    "batching": Part(
        (
            *("compare", *_archs("plan1", "plan2"), "--members", "4"),
            *("--rate", "20", "--rate", "1k", "--rate", "2k", "--budget", "4m"),
        ),
        5,
    ),
    "peers_big_room": Part(("compare", *PEERS, *PEERS_RATES, "--budget", "8m"), 9),
    "peers_many_rooms": Part(("compare", *PEERS, *SMALL_ROOMS, "--budget", "8m"), 9),
    "reconnect_storm": Part(("compare", *KEEPERS, *_archs("redis"), *STORM), 6.5),
    # The first storm would come long after the end.
    "no_storm": Part(("compare", *KEEPERS, *STORM, "--set", "storm_s=600"), 5.5),
    "capacity": Part(("capacity",), 17),
    "stages": Part(("compare", "--rate", "100", "--budget", "4m"), 5),
    "capacity_again": Part(("capacity", *_archs("redis", "plan1"), "--budget", "4m"), 6),
    "capacity_4_gateways": Part(("capacity", "--gateways", "4", "--budget", "8m"), 10),
    "capacity_many_rooms": Part(("capacity", *ROOMS_OF_FIVE, "--budget", "8m"), 10),
    "capacity_many_rooms_4_gateways": Part(("capacity", *ROOMS_OF_FIVE, "--gateways", "4", "--budget", "8m"), 10),
    # Three rounds are the fewest that give an interval that says anything. Seven seconds of 50 messages are
    # enough for a p99 of three rounds.
    "claims": Part(("claims", "--rounds", "3", "--duration", "7s", "--warmup", "2s"), 24.5),
    # One round: costs are fitted over shapes, which differ more than rounds do. Short runs, as in comparisons.
    "costs": Part(("costs",), 60),
    # Each run is judged by itself.
    "faults": Part(("faults", "--rounds", "1", "--duration", "15s", "--warmup", "1s"), 18.5),
}
# The reference includes runs whose driver was not valid; their records say so.
MEASURED = (ExitCode.OK, ExitCode.DRIVER_NOT_VALID)
# Files left out of the many runs of claims, costs and capacities, whose figures do not need them.
DETAILS = ("charts", "latency.hgrm", *(f"{name}.hdr" for name in HISTOGRAMS), "locust_stats.csv", MESSAGES_FILE)
LEFT_OUT = {"claims": DETAILS, "costs": DETAILS, "stages": (MESSAGES_FILE,)} | {
    name: DETAILS for name, part in PARTS.items() if part.command[0] == "capacity"
}


def measure(name: str, folder: Path, commit: str) -> Path:
    """Run the part's command in `folder`, unless it is complete there, and return the folder that it has written."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = sorted(path for path in folder.iterdir() if path.is_dir())
    done = folder / "done"
    if done.exists():
        return begun[-1]
    command, *arguments = PARTS[name].command
    resumable = begun and command in {"capacity", "compare", "claims", "costs"}
    # The paths are relative, so that no record contains a folder of this machine.
    rest = ["--resume", _in_the_checkout(begun[-1])] if resumable else [*arguments, "--out", _in_the_checkout(folder)]
    answer = subprocess.run([sys.executable, "-m", "harness.cli", command, *rest], cwd=ROOT, check=False)
    if answer.returncode not in MEASURED:
        sys.exit(f"{name}: chatbench {command} exited with {answer.returncode}; to continue, run: make reference")
    done.write_text(commit)
    return sorted(path for path in folder.iterdir() if path.is_dir())[-1]


def commit_here() -> str:
    """The commit of this checkout, with `-dirty` after local changes, as in each record."""
    described = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def begin(making: Path, commit: str) -> None:
    """Note the commit that the parts in the making are of; exits if those that are there already are of another one."""
    marker = making / COMMIT
    if not any(making.glob("*/")):
        making.mkdir(exist_ok=True)
        marker.write_text(commit)
        return
    before = marker.read_text() if marker.exists() else "an unknown one"
    if before != commit:
        sys.exit(
            f"the parts in the making are of commit {before}, but this checkout is {commit}; remove {making} to begin "
            "anew, or check that commit out to continue"
        )


def _in_the_checkout(path: Path) -> str:
    return str(path.relative_to(ROOT))


def put_in_place(name: str, made: Path, reference: Path) -> None:
    """Replace the part in the reference, without logs, and for studies without charts and details of single runs."""
    target = reference / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(made, target, ignore=shutil.ignore_patterns("logs"))
    for run in (path.parent for path in target.rglob("summary.json")):
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
    names = list(chosen or PARTS)
    commit = commit_here()
    begin(MAKING, commit)
    made = {}
    for place, name in enumerate(names):
        left = about_text(60 * sum(PARTS[each].minutes for each in names[place:]))
        print(f"{name}, {place + 1} of {len(names)} · at most about {left} left", flush=True)  # noqa: T201 - a program of its own
        made[name] = measure(name, MAKING / name, commit)
    for name, folder in made.items():
        put_in_place(name, folder, REFERENCE)
    ship()
    quotes.main()
    for name in made:
        shutil.rmtree(MAKING / name)
    if not any(MAKING.glob("*/")):
        shutil.rmtree(MAKING)


def ship() -> None:
    """Write the data that `chatbench advise` uses from the reference into the package."""
    runs = REFERENCE / "costs" / "runs"
    shipped.write(read_points([runs / FITTED]), read_validating(runs), read_readable(REFERENCE / "claims"))


if __name__ == "__main__":
    main(sys.argv[1:])
