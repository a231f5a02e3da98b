"""Posts records of a spool to the server, and says what its answer means."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from trainvitals.version import __version__
from trainvitals.wire import coding
from trainvitals.wire.capture import CaptureAnswer, HeartbeatAccepted
from trainvitals.wire.errors import WireError
from trainvitals.wire.messages import Finding, FrameAccepted, Problem, RunAccepted, RunEnded

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

    from trainvitals.spool import Kind

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 20.0
FIRST_DELAY_SECONDS: Final = 0.25
LONGEST_DELAY_SECONDS: Final = 15.0
REFUSED_DELAY_SECONDS: Final = 30.0
RETRIED: Final = frozenset({408, 425, 429})
TOO_LARGE: Final = 413
REFUSALS: Final = frozenset({400, 409, 415, 422})  # of this very record; sending it again is of no use

Outcome = Literal[
    "taken", "unreachable", "busy", "unauthorized", "unknown run", "misled", "refused", "damaged", "too large"
]
_PATHS: Final = {
    "start": "",
    "model": "/model",
    "end": "/end",
    "frame": "/frames",
    "note": "/notes",
    "preflight": "/preflight",
    "look": "/looks",
}
_RUN: Final = re.compile(r"/api/v1/runs/[^/]+")
_POSTED: Final = ("frame", "note", "look")  # of which there are many


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request. ``detail``: why not; ``wait_seconds``: what the server asks for."""

    outcome: Outcome
    detail: str = ""
    wait_seconds: float | None = None
    findings: tuple[Finding, ...] = ()
    ending: RunEnded | None = None
    capture: int | None = None
    remarks: tuple[str, ...] = ()


class Client:
    """The server's ingest API over kept-alive connections. For one thread."""

    def __init__(self, server_url: str, token: str | None) -> None:
        self.server_url = server_url
        self.has_token = bool(token)
        self._headers = {"User-Agent": f"trainvitals/{__version__}", "Accept": coding.MSGPACK}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool: PoolManager | None = None

    def send(self, kind: Kind, run_id: str, payload: bytes) -> Answer:
        """Deliver one record. Never raises for what network or server do."""
        method = "POST" if kind in _POSTED else "PUT"
        return self._request(method, f"/api/v1/runs/{run_id}{_PATHS[kind]}", payload)

    def heartbeat(self, run_id: str) -> Answer:
        """Tell the server that the run lives."""
        return self._request("POST", f"/api/v1/runs/{run_id}/heartbeat", b"")

    def answer_capture(self, run_id: str, answer: CaptureAnswer) -> Answer:
        """Tell the server what became of a request."""
        return self._request("PUT", f"/api/v1/runs/{run_id}/capture", coding.encode(answer))

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.clear()

    def _request(self, method: str, path: str, body: bytes) -> Answer:
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(
                maxsize=1, retries=False, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
            )
        headers = {**self._headers, "Content-Type": coding.MSGPACK}
        try:
            response = self._pool.request(method, self.server_url + path, body=body, headers=headers)
        except (urllib3.exceptions.HTTPError, ValueError) as error:  # ValueError: an address or token that cannot be
            return Answer(outcome="unreachable", detail=f"{type(error).__name__}")
        return _understand(response, path=path)


def _understand(response: BaseHTTPResponse, *, path: str) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return _taken(response, path=path)
    problem = _problem(response)
    detail = f"{status}: {problem.detail}" if problem else f"{status} {response.reason or ''}".strip()
    if status in RETRIED or status >= 500:
        return Answer(outcome="busy", detail=detail, wait_seconds=_retry_after(response))
    if status in (401, 403):
        return Answer(outcome="unauthorized", detail=detail)
    is_look = path.endswith(_PATHS["look"])  # without which a run is whole: nothing waits for one
    if status == TOO_LARGE:  # of the server, or of a proxy before it
        return Answer(outcome="refused" if is_look else "too large", detail=detail)
    if problem is not None and problem.type.endswith("run-not-found"):
        return Answer(outcome="unknown run", detail=detail)
    if problem is not None and problem.type.endswith(("checksum-mismatch", "disconnected")):
        return Answer(outcome="damaged", detail=detail)  # on its way
    if problem is not None and is_look:  # older servers know of none
        return Answer(outcome="refused", detail=detail)
    if problem is not None and problem.type.endswith("unknown-version"):
        return Answer(outcome="misled", detail=detail)  # a server of today, which may be brought up to date
    if problem is not None and status in REFUSALS:
        return Answer(outcome="refused", detail=detail)
    return Answer(outcome="misled", detail=detail)  # a wrong path, a proxy, a redirect, some other server


def _taken(response: BaseHTTPResponse, *, path: str) -> Answer:
    plain = Answer(outcome="taken", ending=_ending(response))
    try:
        if path.endswith("/frames"):
            accepted = coding.decode(response.data, FrameAccepted)
            return replace(plain, findings=tuple(accepted.findings), capture=accepted.capture)
        if _RUN.fullmatch(path):
            return replace(plain, remarks=tuple(coding.decode(response.data, RunAccepted).remarks))
        if path.endswith("/heartbeat"):
            return replace(plain, capture=coding.decode(response.data, HeartbeatAccepted).capture)
    except WireError:
        pass  # stored all the same; an older server answers less, a newer one may answer more than we can read
    return plain


def _ending(response: BaseHTTPResponse) -> RunEnded | None:
    if not (response.url or "").endswith("/end"):
        return None
    try:
        return coding.decode(response.data, RunEnded)
    except WireError:
        return None


def _problem(response: BaseHTTPResponse) -> Problem | None:
    media_type = coding.MSGPACK if "msgpack" in response.headers.get("Content-Type", "") else coding.JSON
    try:
        return coding.decode(response.data, Problem, media_type=media_type)
    except WireError:
        return None


def _retry_after(response: BaseHTTPResponse) -> float | None:
    try:
        seconds = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
    return min(max(FIRST_DELAY_SECONDS, seconds), REFUSED_DELAY_SECONDS) if math.isfinite(seconds) else None


def delay(failures: int, answer: Answer) -> float:
    """Seconds until the next try: what the server asks for, else doubling with jitter."""
    if answer.wait_seconds is not None:
        return answer.wait_seconds * random.uniform(1.0, 1.2)
    if answer.outcome in ("unauthorized", "unknown run", "misled", "too large"):
        return REFUSED_DELAY_SECONDS
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)
