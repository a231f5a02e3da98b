"""Questions to which it is a good answer that nothing of the kind was recorded."""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPStatus
from typing import TypeVar

from trainvitals_dashboard.api import ApiError

T = TypeVar("T")


async def or_none(question: Awaitable[T]) -> T | None:
    """The answer; None where there is none. Raises ApiError when the server cannot answer."""
    try:
        return await question
    except ApiError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return None
