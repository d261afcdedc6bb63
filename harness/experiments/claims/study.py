"""`chatbench claims`: run the experiments that the claims need, and judge the claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from architectures.interface import Requirements
from harness.core import settings as config
from harness.core.errors import Interrupted, UsageError
from harness.core.progress import CampaignProgress
from harness.core.registry import load_architecture
from harness.core.signals import signals_interrupt, signals_wait
from harness.experiments.claims.catalogue import CLAIMS
from harness.experiments.claims.claim import Claim, Judgement
from harness.experiments.claims.durability import HISTORY, Readable, read_after_restart
from harness.experiments.claims.evidence import read_evidence
from harness.experiments.claims.experiments import REMEMBER, ClaimsPlan, plan
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import PlannedRun, run_series
from harness.runs.record import new_folder
from harness.runs.setup import show_first_use
from harness.services.backends import Backends

ASKED = "claims.json"


def chosen(effort: ClaimsPlan) -> list[Claim]:
    """The claims to be tested, in the note's order; raises UsageError for an unknown one."""
    known = {claim.id: claim for claim in CLAIMS}
    for each in effort.claims:
        if each not in known:
            raise UsageError(f"--claim is {each!r}, but it must be one of {', '.join(known)}")
    return [claim for name, claim in known.items() if not effort.claims or name in effort.claims]


def planned_runs(effort: ClaimsPlan, folder: Path) -> list[PlannedRun]:
    """All runs that the chosen claims need; raises UsageError if one is not valid."""
    return plan(effort, {name for claim in chosen(effort) for name in claim.experiments}, folder)


def rounds_count(effort: ClaimsPlan) -> bool:
    """Whether the number of rounds changes the number of runs for the chosen claims."""
    one = msgspec.structs.replace(effort, rounds=1)
    return len(planned_runs(effort, Path())) > len(planned_runs(one, Path()))


def _needs_history(effort: ClaimsPlan) -> bool:
    return any("restarts" in claim.experiments for claim in chosen(effort))


def steps(effort: ClaimsPlan, folder: Path) -> int:
    """The number of runs; the test of what can be read after a restart counts as one."""
    return len(planned_runs(effort, folder)) + _needs_history(effort)


def begin(effort: ClaimsPlan, out: str) -> Path:
    """Make the folder of a new study; raises UsageError if the plan is not valid."""
    planned_runs(effort, Path())
    folder = new_folder(config.make_out_dir(out), "claims")
    note(folder, ASKED, effort)
    return folder


def resume(folder: Path) -> ClaimsPlan:
    """The plan of the study in that folder; raises UsageError if `chatbench claims` did not make it."""
    return read_again(folder, ASKED, ClaimsPlan, "claims")


def run_study(effort: ClaimsPlan, folder: Path, progress: CampaignProgress) -> None:
    """Run what is not complete yet. Raises ServiceFailed, UsageError or Interrupted."""
    go_on_with = f"chatbench claims --resume {folder}"
    planned = planned_runs(effort, folder)
    run_series(planned, folder, progress, go_on_with)
    if (folder / HISTORY).exists() or not _needs_history(effort):
        return
    progress.run(len(planned), "what can be read after a restart")
    try:
        readable = _read_all_after_restart(folder / "logs", progress)
    except Interrupted:
        raise Interrupted(f"{folder}; resume with: {go_on_with}") from None
    (folder / HISTORY).write_bytes(msgspec.json.format(msgspec.json.encode(readable)))


def _read_all_after_restart(logs: Path, progress: CampaignProgress) -> list[Readable]:
    backends = Backends(Requirements(kafka=True, redis=True), 1, logs)
    with signals_interrupt():
        try:
            backends.begin(lambda *first_use: show_first_use(progress, *first_use))
            backends.finish()
            return [read_after_restart(load_architecture(name), backends, logs) for name in REMEMBER]
        finally:
            with signals_wait():
                backends.stop()


def judge(folder: Path, claims: Sequence[str] = ()) -> list[tuple[Claim, Judgement]]:
    """Judge every tested claim, or only these, from the records alone.

    Raises UsageError if there are no records, or if one of these claims is unknown or was not tested.
    """
    tested = chosen(resume(folder))
    wanted = chosen(ClaimsPlan(claims=tuple(claims))) if claims else tested
    for claim in wanted:
        if claim not in tested:
            ids = ", ".join(each.id for each in tested)
            raise UsageError(f"--claim is {claim.id}, but {folder} has tested {ids}; name one of these")
    evidence = read_evidence(folder)
    return [(claim, _with_runs(claim.judge(evidence), evidence.count(claim.experiments))) for claim in wanted]


def _with_runs(judgement: Judgement, runs: int) -> Judgement:
    if judgement.picture is None:
        return judgement
    return msgspec.structs.replace(judgement, picture=msgspec.structs.replace(judgement.picture, runs=runs))
