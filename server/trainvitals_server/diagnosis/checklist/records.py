"""Whether the work is tracked: what has to be known of a run so that it can be told apart, and done again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.checklist import ChecklistLine
from trainvitals.wire.naming import names_data
from trainvitals_server.diagnosis.changes import flat
from trainvitals_server.diagnosis.checklist.needs import BATCH, LOSS, VALIDATION, Need
from trainvitals_server.diagnosis.window import Window

DIRTY: Final = "-dirty"
ENDS: Final = {"finished": "it came to its end", "stopped": "it was stopped on purpose"}
_SEED: Final = re.compile(r"seed$|(^|[._-])seed", re.IGNORECASE)


def records(run: RunDetail, window: Window) -> Iterator[ChecklistLine]:
    """The lines of the last stage."""
    settings = dict(flat(run.config))
    yield _kept(
        "settings",
        f"{len(settings)} {'are' if len(settings) > 1 else 'is'} kept" if settings else "",
        "none are kept",
        'Pass them: tv.init(config={"lr": 1e-3, …}).',
    )
    seeds = {name: value for name, value in settings.items() if _SEED.search(name)}
    yield _kept(
        "seed",
        ", ".join(f"{name} {value}" for name, value in seeds.items()),
        "none is among the settings",
        'Set one and keep it: torch.manual_seed(0), and config={"seed": 0}.',
    )
    yield _code(run)
    known = {name: run.environment.get(name) for name in ("python", "torch")}
    told = ", ".join(f"{name} {version}" for name, version in known.items() if version)
    yield _kept("environment", told, "it is not known", "Begin runs with tv.init, which looks by itself.")
    data = [f"{name} {value}" for name, value in settings.items() if names_data(name)]
    batch = "the first batches would be known again" if BATCH.is_met(window) else ""
    yield _kept(
        "data",
        ", ".join(data) or batch,
        "it is not known which were used",
        'Keep their name and version: config={"data": "digits v3"}.',
    )
    watched = f"{len(run.layers)} layers are described" if run.layers else ""
    yield _kept("model", watched, "no layers are watched", "Watch it: run.watch(model, optimizer).")
    yield _logged("training_loss", LOSS, window)
    yield _logged("validation", VALIDATION, window)
    if run.summary.status != "running":
        yield _end(run)


def _kept(name: str, found: str, missing: str, how: str) -> ChecklistLine:
    if found:
        return ChecklistLine(name=name, source="record", status="passed", summary=found)
    return ChecklistLine(name=name, source="record", status="unknown", summary=missing, advice=[how])


def _logged(name: str, need: Need, window: Window) -> ChecklistLine:
    return _kept(name, "it is logged" if need.is_met(window) else "", need.missing, need.how)


def _code(run: RunDetail) -> ChecklistLine:
    revision = str(run.environment.get("revision") or "")
    if not revision.endswith(DIRTY):
        return _kept("code", f"revision {revision}" if revision else "", "its revision is not known", "Keep it in git.")
    return ChecklistLine(
        name="code",
        source="record",
        status="unknown",
        summary=f"revision {revision.removesuffix(DIRTY)}, with changes that are not committed",
        advice=["Commit before a run that counts: what was changed is kept nowhere else."],
    )


def _end(run: RunDetail) -> ChecklistLine:
    status, error = run.summary.status, (run.error or "").strip().rpartition("\n")[2]
    if status in ENDS:
        return ChecklistLine(name="end", source="record", status="passed", summary=ENDS[status])
    said = error or (
        "the training fell silent, and was not heard of again" if status == "lost" else "the script failed"
    )
    how = (
        ["Look at the machine: was the process killed, by its memory or by the scheduler?"] if status == "lost" else []
    )
    return ChecklistLine(name="end", source="record", status="failed", summary=said, advice=how)
