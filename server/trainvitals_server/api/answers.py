"""Wire messages as responses and in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response

from trainvitals.wire import coding
from trainvitals.wire.answers import (
    Curve,
    FindingList,
    Health,
    Heatmap,
    LayerHistograms,
    LookedInto,
    Looks,
    RankCurves,
    RunDetail,
    RunPage,
    Snapshot,
)
from trainvitals.wire.capture import Capture, CaptureAnswer, HeartbeatAccepted
from trainvitals.wire.checklist import Changes, Checklist
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import Frame
from trainvitals.wire.journal import Journal, JournalChange
from trainvitals.wire.looks import Look
from trainvitals.wire.messages import (
    Finding,
    FindingAct,
    FrameAccepted,
    ModelInfo,
    Problem,
    RunAccepted,
    RunEnd,
    RunEnded,
    RunStart,
)
from trainvitals.wire.notes import Note
from trainvitals.wire.preflight import PreflightReport
from trainvitals.wire.rules import ProjectRules, RuleChange
from trainvitals.wire.table import Columns, Groups, RunsChange, View, Views

REFERENCE: Final = "#/components/schemas/{name}"
MESSAGES: Final = (
    Capture, CaptureAnswer, Changes, Checklist, Columns, Curve, Finding, FindingAct, FindingList, Frame, FrameAccepted,
    Health, Groups, HeartbeatAccepted, Heatmap, Journal, JournalChange, LayerHistograms, Look, LookedInto, Looks,
    ModelInfo, Note, PreflightReport, Problem, ProjectRules, RankCurves, RuleChange, RunAccepted, RunDetail, RunEnd,
    RunEnded, RunPage, RunStart, RunsChange, Snapshot, View, Views,
)  # fmt: skip
Json = dict[str, Any]  # Any: JSON Schema nests as it likes


def answer(request: Request, message: object, *, status: int = 200) -> Response:
    """The message as the client asked for it: msgpack if ``Accept`` names it, else JSON."""
    media_type = coding.MSGPACK if coding.MSGPACK in request.headers.get("accept", "") else coding.JSON
    return Response(coding.encode(message, media_type=media_type), status, media_type=media_type)


def answers(kind: type) -> dict[int | str, Json]:
    """A route's ``responses``: the message in either coding, or a problem."""
    return {200: {"description": kind.__doc__, "content": _content(kind)}, **PROBLEMS}


def takes(kind: type) -> Json:
    """A route's ``openapi_extra``: the body that it takes, in either coding."""
    return {"requestBody": {"required": True, "content": _content(kind)}}


def _content(kind: type) -> Json:
    schema = {"$ref": REFERENCE.format(name=kind.__name__)}
    return {coding.JSON: {"schema": schema}, coding.MSGPACK: {"schema": schema}}


PROBLEMS: Final[dict[int | str, Json]] = {
    "default": {
        "description": "What went wrong, as RFC 9457 has it",
        "content": {"application/problem+json": {"schema": {"$ref": REFERENCE.format(name="Problem")}}},
    }
}


def describe(app: FastAPI) -> Json:
    """The OpenAPI document, with the wire's own schemas."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, schemas = msgspec.json.schema_components(MESSAGES, schema_hook=_schema, ref_template=REFERENCE)
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        _without_validation_errors(document)
        app.openapi_schema = document
    return app.openapi_schema


def _schema(kind: type) -> Json:
    if kind is Floats:
        word = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}
        return {
            "type": "array",
            "items": {"anyOf": [{"type": "number"}, word]},
            "description": "float32; in msgpack little-endian bytes",
        }
    raise NotImplementedError(f"{kind.__name__} has no schema")


def _without_validation_errors(document: Json) -> None:
    """FastAPI documents its own shape of 422; here they are problems like all others."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
