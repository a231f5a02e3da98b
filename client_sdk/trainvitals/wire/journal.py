"""What people write of a run."""

from __future__ import annotations

import msgspec


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a journal: the whole ``text`` in Markdown, as it was ``at`` (Unix seconds), and ``by`` whom it was
    written so. Version 0 is before anybody wrote."""

    version: int = 0
    at: float = 0.0
    by: str = ""
    text: str = ""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The journal of a run as it is ``now``, and its versions ``before``, the newest first, as many as were asked for
    and are kept."""

    run_id: str
    now: Written = Written()
    before: list[Written] = []


class JournalChange(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal is to say from now on. ``PUT /api/v1/runs/{run_id}/journal``. ``after``: the version that was
    read before; refused where there is a newer one."""

    text: str
    by: str = "somebody"
    after: int | None = None
