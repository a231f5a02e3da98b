"""The preflight's card: the checklist by stage, marks as icon and word, advice folded in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainvitals.wire.preflight import CheckStatus, PreflightCheck, Stage
from trainvitals_dashboard.parts.preflight_card import preflight_card


def check(name: str, stage: Stage, status: CheckStatus, **more: Any) -> PreflightCheck:
    return PreflightCheck(
        **{"name": name, "stage": stage, "status": status, "summary": f"so it is with {name}", **more}
    )


CHECKS = [
    check("initial_loss", "confirm the loss", "passed", numbers={"loss": 2.31, "chance": "NaN"}),
    check("overfit_one_batch", "start simple", "failed", advice=["Look at the labels.", "Give it more time."]),
    check("batch_mixing", "check the inside", "unknown", advice=["Give two samples."]),
]


def parts(piece: Any, kind: str) -> Iterator[Any]:
    """All components of a kind, in order."""
    if type(piece).__name__ == kind:
        yield piece
    inside = piece if isinstance(piece, (list, tuple)) else getattr(piece, "children", None)
    for part in inside if isinstance(inside, (list, tuple)) else [inside] if hasattr(inside, "children") else []:
        yield from parts(part, kind)


def texts(piece: Any) -> list[str]:
    """Every text in a component."""
    if isinstance(piece, str):
        return [piece]
    inside = piece if isinstance(piece, (list, tuple)) else [getattr(piece, "children", None)]
    return [text for part in inside if part is not None and part is not piece for text in texts(part)]


def test_there_is_no_card_where_there_was_no_preflight() -> None:
    assert preflight_card([]) is None


def test_checks_stand_under_their_stages_in_the_checklist_s_order() -> None:
    card = preflight_card(CHECKS)

    assert [title.children for title in parts(card, "H3")] == ["Start simple", "Confirm the loss", "Check the inside"]
    said = texts(card)
    assert said.index("Overfit one batch") < said.index("Initial loss") < said.index("Batch mixing")
    assert "1 failed · 1 unknown · 1 passed" in said


def test_a_stage_without_checks_is_left_out() -> None:
    assert [title.children for title in parts(preflight_card(CHECKS[:1]), "H3")] == ["Confirm the loss"]


def test_a_status_is_an_icon_and_a_word() -> None:
    lines = list(parts(preflight_card(CHECKS), "Details"))

    icons = [next(part.style["--i"] for part in parts(line, "Span") if getattr(part, "style", None)) for line in lines]
    assert [icon.split("/")[-1] for icon in icons] == ["circle-x.svg)", "circle-check.svg)", "help-circle.svg)"]
    assert [word for line in lines for word in texts(line) if word in ("failed", "passed", "unknown")] == [
        "failed",
        "passed",
        "unknown",
    ]


def test_only_what_failed_is_opened_at_once() -> None:
    assert [line.open for line in parts(preflight_card(CHECKS), "Details")] == [True, False, False]


def test_advice_and_numbers_are_inside() -> None:
    failed, passed, _ = parts(preflight_card(CHECKS), "Details")

    assert [text for text in texts(failed.children[1]) if text] == ["Look at the labels.", "Give it more time."]
    assert texts(passed.children[1]) == ["loss", "2.31", "chance", "NaN"]
