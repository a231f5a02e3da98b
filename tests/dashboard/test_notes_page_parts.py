"""The page of notes: what people wrote, as it is read, and what the script told."""

from __future__ import annotations

import time
from typing import Any

from dash import dcc, html
from msgspec import structs

from trainvitals.wire.answers import RunDetail, RunSummary
from trainvitals.wire.journal import Journal, Written
from trainvitals.wire.notes import Alert, Notes
from trainvitals_dashboard.parts.notes_body import body, read_view, theirs, told_by_script

SUMMARY = RunSummary(run_id="r", project="p", name="net", status="running", created_at=1.0, heartbeat_at=1.0)


def written(version: int, text: str, by: str = "Ada") -> Written:
    return Written(version=version, at=time.time() - 300, by=by, text=text)


def texts(piece: Any) -> str:
    if isinstance(piece, (list, tuple)):
        return " ".join(word.strip() for word in map(texts, piece) if word.strip())
    return texts(piece.children) if hasattr(piece, "children") else "" if piece is None else str(piece)


def markdowns(pieces: list[Any]) -> list[dcc.Markdown]:
    found = html.Div(pieces)._traverse()
    return [part for part in found if isinstance(part, dcc.Markdown)]


def test_what_was_written_is_read_as_it_was_written_and_html_stays_text() -> None:
    (shown,) = markdowns(read_view(Journal(run_id="r", now=written(2, "# Why\n    <b>code</b>"))))

    assert shown.children == "# Why\n    <b>code</b>"
    assert shown.dedent is False
    assert not getattr(shown, "dangerously_allow_html", False)


def test_who_wrote_it_and_when_stands_beneath_and_what_was_before_is_folded_in() -> None:
    view = read_view(Journal(run_id="r", now=written(3, "now"), before=[written(2, "then", "Bob"), written(1, " ")]))

    assert "version 3, by Ada, 5 min ago" in texts(view)
    assert "1 earlier version 2, by Bob, 5 min ago then" in texts(view)


def test_the_memo_of_the_table_stands_above_the_notes_and_leads_to_where_it_is_written() -> None:
    summary = structs.replace(SUMMARY, memo="a twin")
    pieces = body(RunDetail(summary=summary), Journal(run_id="r"))

    assert "Memo a twin · of the table of runs" in texts(pieces)
    links = [one.href for one in html.Div(pieces)._traverse() if isinstance(one, dcc.Link)]
    assert "/?text=id%3Ar%20is%3Aall" in links
    none = body(RunDetail(summary=SUMMARY), Journal(run_id="r"))
    assert "A memo of a line or two can be written in the table of runs" in texts(none)


def test_where_nobody_wrote_it_is_said_what_could_be_written() -> None:
    assert "Nobody has written about this run yet" in texts(read_view(Journal(run_id="r")))


def test_who_wrote_meanwhile_is_told_with_the_text() -> None:
    told = theirs(written(4, "QK-norm helps", "bob"))

    assert "Bob wrote meanwhile" in texts(told)
    assert [one.children for one in markdowns(told)] == ["QK-norm helps"]


def test_what_the_script_told_stands_beside_or_how_it_tells() -> None:
    alerts = [Alert(title=title, step=step) for step, title in enumerate(("first", "second"))]
    told = texts(told_by_script(RunDetail(summary=SUMMARY, notes=Notes(alerts=alerts, summary={"best": {"epoch": 7}}))))
    silent = texts(told_by_script(RunDetail(summary=SUMMARY)))

    assert told.index("second") < told.index("first")
    assert "best.epoch 7" in told
    assert "run.alert(" in silent
    assert "run.summary[" in silent


def test_all_that_callbacks_ask_for_is_on_the_page() -> None:
    page = html.Div(body(RunDetail(summary=SUMMARY), Journal(run_id="r")))
    ids = {getattr(part, "id", None) for part in page._traverse()}

    assert {"notes-read", "notes-write", "notes-text", "notes-by", "notes-save", "notes-over", "notes-join"} <= ids
