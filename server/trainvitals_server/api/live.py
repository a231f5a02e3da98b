"""The websockets of live pages."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, WebSocket

from trainvitals_server.api.services import Given
from trainvitals_server.live.feeding import follow, is_own_origin

FOREIGN: Final = 4403  # a close code of our own, after HTTP's 403
router = APIRouter(prefix="/api/v1")


@router.websocket("/runs/{run_id}/live")
async def follow_run(socket: WebSocket, run_id: str, services: Given, since: int = 0) -> None:
    """What is new of a run, after update ``since``; a reset if that is unknown here."""
    if not is_own_origin(socket):
        await socket.close(FOREIGN)
        return
    await socket.accept()
    channel = services.hub.enter(run_id)
    try:
        await follow(socket, channel, since=since)
    finally:
        services.hub.leave(run_id)


@router.websocket("/live")
async def follow_runs(socket: WebSocket, services: Given, since: int = 0) -> None:
    """Rows of the runs table that changed after ``since``."""
    if not is_own_origin(socket):
        await socket.close(FOREIGN)
        return
    await socket.accept()
    table = services.hub.enter_table()
    try:
        await follow(socket, table, since=since)
    finally:
        services.hub.leave_table()
