"""Whether a run of the demo was stored whole and diagnosed right, as the API tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import httpx2
import msgspec

from trainvitals.wire import coding
from trainvitals.wire.answers import Curve, FindingList, RunDetail

SLICE_STEPS: Final = 500  # asked for at once, so that no point is thinned away
SICK_RULE: Final = "vanishing_gradients"

T = TypeVar("T")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a training says that it logged: the loss, once at each of ``logged`` steps."""

    version: int
    run_id: str
    logged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one training; ``faults`` is empty where all is as it should be."""

    training: str
    stored: str
    findings: str
    faults: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return not self.faults


def judge(client: httpx2.Client, training: str, receipt: Receipt, *, sick: bool) -> Verdict:
    """Compare what the server has of a run with its receipt and with its known state of health."""
    run = _ask(client, f"/api/v1/runs/{receipt.run_id}", RunDetail).summary
    stored = _stored_points(client, receipt)
    told = _ask(client, f"/api/v1/runs/{receipt.run_id}/findings", FindingList).findings
    faults: list[str] = []
    if run.status != "finished":
        faults.append(f"its status is {run.status}")
    if run.last_step != receipt.logged - 1:
        faults.append(f"its last step is {run.last_step}, not {receipt.logged - 1}")
    if stored != receipt.logged:
        faults.append(f"{stored} of {receipt.logged} points of the loss are stored")
    if sick and not any(finding.rule == SICK_RULE for finding in told):
        faults.append(f"{SICK_RULE} was not found")
    if not sick:
        faults += [f"false alarm: {finding.rule}" for finding in told if finding.severity != "info"]
    return Verdict(
        training=training,
        stored=f"{stored} of {receipt.logged}",
        findings=", ".join(sorted({finding.rule for finding in told})) or "none",
        faults=tuple(faults),
    )


def _stored_points(client: httpx2.Client, receipt: Receipt) -> int:
    count = 0
    for first in range(0, receipt.logged, SLICE_STEPS):
        last = first + SLICE_STEPS - 1
        asked = f"metric=loss&first={first}&last={last}&points={2 * SLICE_STEPS}"
        curve = _ask(client, f"/api/v1/runs/{receipt.run_id}/curve?{asked}", Curve)
        count += len(curve.steps) if curve.bucket == 1 else 0
    return count


def _ask(client: httpx2.Client, path: str, kind: type[T]) -> T:
    answer = client.get(path, headers={"Accept": coding.MSGPACK})
    answer.raise_for_status()
    return coding.decode(answer.content, kind)
