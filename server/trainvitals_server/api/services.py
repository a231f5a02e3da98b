"""What routes work with, put on the application once and asked for by each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from trainvitals_server.api.pulse import Pulse
from trainvitals_server.api.waiting import Waiting
from trainvitals_server.evaluator import Evaluator
from trainvitals_server.ingest.writer import Writer
from trainvitals_server.live.hub import Hub
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One set per application; ``clock`` tells Unix seconds."""

    settings: Settings
    store: Store
    writer: Writer
    hub: Hub
    evaluator: Evaluator
    pulse: Pulse
    waiting: Waiting
    clock: Callable[[], float]


async def _of(connection: HTTPConnection) -> Services:  # not async, it would wait for a thread like a question
    services: Services = connection.app.state.services
    return services


Given = Annotated[Services, Depends(_of)]
