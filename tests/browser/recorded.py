"""Recorded trainings of the clinic, sent to a server as the SDK sent them: what every page has to show."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from tests.browser.training import HEADERS
from trainvitals.wire import coding
from trainvitals.wire.frame import Frame, encode_frame
from trainvitals.wire.messages import ModelInfo
from trainvitals.wire.notes import Note
from trainvitals.wire.recording import SUFFIX, Recording, unpack

RECORDED: Final = Path(__file__).parents[2] / "clinic" / "recorded"
PROJECT: Final = "clinic"
RUNS: Final = {  # run: (recording, name); the newest is the last
    "digits": ("healthy-step-decay-0", "digits, rate halved"),
    "seen": ("healthy-looked-into-0", "digits, looked into"),
    "nan": ("non_finite_values-logarithm-0", "log of zero"),
    "ranks": ("gradients_not_shared-never-wrapped-0", "two ranks, never wrapped"),
    "sigmoid": ("vanishing_gradients-deep-sigmoid-0", "deep sigmoid"),
    "slow": ("learning_rate_too_low-gpt-0", "gpt, rate 3e-6"),
    "healthy": ("healthy-bfloat16-gpt-0", "gpt in bfloat16"),
    "sick": ("attention_logits_growing-hot-gpt-0", "gpt, rate 0.05"),
}
SECONDS_BETWEEN: Final = 3600.0  # of their beginnings
SINCE_SECONDS: Final = 120.0  # after the full hour: "2 h ago" is the same word for the next 58 minutes
JUDGED_WITHIN_SECONDS: Final = 60.0


def send_all(address: str) -> None:
    """Every run of ``RUNS``, begun an hour after one another, and wait until all are judged. They lie as far back from
    now as they always do, so that "2 h ago" is the same at every look."""
    now = time.time()
    for place, (run_id, (recording, name)) in enumerate(RUNS.items()):
        begun = now - SINCE_SECONDS - SECONDS_BETWEEN * (len(RUNS) - place)
        send(address, run_id, unpack((RECORDED / f"{recording}{SUFFIX}").read_bytes()), name=name, begun=begun)
    deadline = time.monotonic() + JUDGED_WITHIN_SECONDS
    while any(run["health"] is None for run in _runs(address)):
        assert time.monotonic() < deadline, "the runs are not judged"
        time.sleep(0.2)


def send(address: str, run_id: str, recording: Recording, *, name: str, begun: float) -> None:
    """One run, as if it had begun at ``begun`` (Unix seconds). Its settings are those of its optimizer."""
    base, end = f"{address}/api/v1/runs/{run_id}", recording.end
    start = msgspec.structs.replace(
        recording.start, project=PROJECT, name=name, started_at=begun, config=_settings(recording), tags=["recorded"]
    )
    httpx2.put(base, content=coding.encode(start), headers=HEADERS).raise_for_status()
    for message in recording.messages:
        if isinstance(message, Frame):
            content = encode_frame(msgspec.structs.replace(message, run_id=run_id))
            httpx2.post(f"{base}/frames", content=content, headers=HEADERS).raise_for_status()
        elif isinstance(message, Note):
            httpx2.post(f"{base}/notes", content=coding.encode(message), headers=HEADERS).raise_for_status()
        else:
            httpx2.put(f"{base}/model", content=coding.encode(message), headers=HEADERS).raise_for_status()
    for look in recording.looks:
        httpx2.post(f"{base}/looks", content=coding.encode(look), headers=HEADERS).raise_for_status()
    assert end is not None, "the clinic keeps runs that ended"
    ended = msgspec.structs.replace(end, ended_at=begun + end.ended_at - recording.start.started_at)
    httpx2.put(f"{base}/end", content=coding.encode(ended), headers=HEADERS).raise_for_status()


def _settings(recording: Recording) -> dict[str, Any]:  # Any: settings are whatever an optimizer has
    found = next(message for message in recording.messages if isinstance(message, ModelInfo))
    first = next(iter(found.optimizers))
    return {"optimizer": {"kind": first.kind, **first.groups[0].settings}}


def _runs(address: str) -> list[dict[str, Any]]:  # Any: JSON
    found: list[dict[str, Any]] = httpx2.get(f"{address}/api/v1/runs").json()["runs"]
    return found
