"""The dashboard's one way to the server: its own HTTP API, called inside the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx2

from trainvitals.wire import coding
from trainvitals.wire.answers import (
    Curve,
    FindingList,
    Health,
    Heatmap,
    LayerHistograms,
    RankCurves,
    RunDetail,
    RunPage,
    Snapshot,
)
from trainvitals.wire.capture import Capture
from trainvitals.wire.checklist import Changes, Checklist
from trainvitals.wire.errors import WireError
from trainvitals.wire.histograms import ValueKind
from trainvitals.wire.journal import Journal, JournalChange
from trainvitals.wire.messages import Finding, FindingAct, Problem
from trainvitals.wire.rules import ProjectRule, ProjectRules

BASE_URL: Final = "http://localhost"
T = TypeVar("T")
Parameter = str | int | list[str] | None
Parameters = dict[str, Parameter]


class ApiError(Exception):
    """The server refused or could not answer; the text is the problem's detail, fit to be shown."""

    def __init__(self, detail: str, *, status: int) -> None:
        super().__init__(detail)
        self.status = status


class Door:
    """The way to the server, by which questions are asked. Every method raises ApiError."""

    def __init__(self, application: Any, *, token: str | None = None) -> None:  # Any: an ASGI application
        headers = {"Accept": coding.MSGPACK} | ({"Authorization": f"Bearer {token}"} if token else {})
        transport = httpx2.ASGITransport(app=application, raise_app_exceptions=False)
        self._client = httpx2.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers)

    async def _ask(self, path: str, kind: type[T], /, **parameters: Parameter) -> T:
        return _read(await self._answered("GET", path, parameters), kind)

    ask = _ask  # what one page alone asks for stands beside that page

    async def _answered(
        self, method: str, path: str, parameters: Parameters, *, body: bytes | None = None
    ) -> httpx2.Response:
        response = await self._send(path, parameters, method=method, body=body)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise ApiError(_detail(response), status=response.status_code)
        return response

    async def _send(
        self, path: str, parameters: Parameters, *, method: str = "GET", body: bytes | None = None
    ) -> httpx2.Response:
        headers = {"Content-Type": coding.MSGPACK} if body is not None else {}
        given = {name: value for name, value in parameters.items() if value is not None}
        # a context of its own: what the application sets while it answers must not reach the callback that asks
        asking = self._client.request(method, path, params=given, content=body, headers=headers)
        return await asyncio.create_task(asking, context=Context())


class Api(Door):
    """Questions to the server. Every method raises ApiError."""

    async def runs(
        self,
        *,
        text: str = "",
        limit: int = 500,
        sort_by: str = "created",
        descending: bool = True,
        settings: Sequence[str] = (),
    ) -> RunPage:
        """The first runs that the search ``text`` finds, with those of their ``settings``."""
        way = "true" if descending else "false"
        return await self._ask(
            "/api/v1/runs", RunPage, text=text, limit=limit, sort_by=sort_by, descending=way, setting=list(settings)
        )

    async def run(self, run_id: str, *, follow: bool = False) -> RunDetail:
        """All of a run but its series; ``follow``: with where its feed stands."""
        return await self._ask(_run_path(run_id), RunDetail, follow="true" if follow else None)

    async def metric_curve(
        self, run_id: str, metric: str, *, first: int | None = None, last: int | None = None, points: int = 1000
    ) -> Curve:
        """A metric between two steps, thinned to about ``points`` buckets."""
        path = f"{_run_path(run_id)}/curve"
        return await self._ask(path, Curve, metric=metric, first=first, last=last, points=points)

    async def rank_curves(self, run_id: str, metric: str, *, points: int = 300) -> RankCurves:
        """A metric as each rank recorded it, thinned."""
        return await self._ask(f"{_run_path(run_id)}/ranks", RankCurves, metric=metric, points=points)

    async def stat_curve(self, run_id: str, stat: str, layer: str, *, points: int = 500) -> Curve:
        """A stat of one layer, thinned."""
        return await self._ask(f"{_run_path(run_id)}/curve", Curve, stat=stat, layer=layer, points=points)

    async def heatmap(
        self, run_id: str, stat: str, *, first: int | None = None, last: int | None = None, buckets: int = 400
    ) -> Heatmap:
        """A stat of all layers between two steps, thinned to about ``buckets`` columns."""
        path = f"{_run_path(run_id)}/heatmap"
        return await self._ask(path, Heatmap, stat=stat, first=first, last=last, buckets=buckets)

    async def histograms(self, run_id: str, kind: ValueKind, layer: str, *, columns: int = 100) -> LayerHistograms:
        """The histograms of one layer over the run, thinned."""
        path = f"{_run_path(run_id)}/histograms"
        return await self._ask(path, LayerHistograms, kind=kind, layer=layer, columns=columns)

    async def snapshot(self, run_id: str) -> Snapshot:
        """The newest snapshot."""
        return await self._ask(f"{_run_path(run_id)}/snapshot", Snapshot)

    async def findings(self, run_id: str) -> FindingList:
        """The findings, the gravest first."""
        return await self._ask(f"{_run_path(run_id)}/findings", FindingList)

    async def act_on_finding(self, run_id: str, finding_id: str, act: FindingAct) -> Finding:
        """Do something about a finding; the finding as it is then."""
        path = f"{_run_path(run_id)}/findings/{quote(finding_id, safe='')}"
        return _read(await self._answered("POST", path, {}, body=coding.encode(act)), Finding)

    async def checklist(self, run_id: str) -> Checklist:
        """The five stages of the method, and what is known of each."""
        return await self._ask(f"{_run_path(run_id)}/checklist", Checklist)

    async def changes(self, run_id: str, *, against: str | None = None) -> Changes:
        """What differs from the run ``against`` which it is held; None: the project's last healthy run before it."""
        return await self._ask(f"{_run_path(run_id)}/changes", Changes, against=against)

    async def journal(self, run_id: str, *, versions: int = 0) -> Journal:
        """What people wrote of the run, and so many versions before it."""
        return await self._ask(f"{_run_path(run_id)}/journal", Journal, versions=versions)

    async def write_journal(self, run_id: str, change: JournalChange) -> Journal:
        """Write it anew; the answer tells no versions before it. Raises ApiError with status 409 where somebody else
        wrote meanwhile."""
        path = f"{_run_path(run_id)}/journal"
        return _read(await self._answered("PUT", path, {}, body=coding.encode(change)), Journal)

    async def ask_capture(self, run_id: str) -> Capture:
        """Ask the training for a close look."""
        path = f"{_run_path(run_id)}/capture"
        return _read(await self._answered("POST", path, {}), Capture)

    async def rules(self, project: str = "", *, versions: int = 20) -> ProjectRules:
        """The rules; as a project has them where one is named, with the newest versions of what it says of them."""
        if not project:
            return ProjectRules(project="", rules=await self._ask("/api/v1/rules", list[ProjectRule]))
        path = f"/api/v1/projects/{quote(project, safe='')}/rules"
        return await self._ask(path, ProjectRules, versions=versions)

    async def rule_page(self, name: str) -> str:
        """A rule's page as Markdown."""
        return (await self._answered("GET", f"/api/v1/rules/{quote(name, safe='')}", {})).text

    async def health(self) -> Health:
        """How the server and its database are; answered with 503 too."""
        return coding.decode((await self._send("/healthz", {})).content, Health, media_type=coding.JSON)


def _read(response: httpx2.Response, kind: type[T]) -> T:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    try:
        return coding.decode(response.content, kind, media_type=media_type)
    except WireError as error:
        path = response.request.url.path
        raise ApiError(f"the server's answer to {path} is unreadable: {error}", status=502) from error


def _run_path(run_id: str) -> str:
    return f"/api/v1/runs/{quote(run_id, safe='')}"


def _detail(response: httpx2.Response) -> str:
    try:
        return coding.decode(response.content, Problem, media_type=coding.JSON).detail
    except WireError:
        return f"the server answered {response.status_code} to {response.request.url.path}"
