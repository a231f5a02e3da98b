"""The findings of a run as its page tells them: the cause leads, what follows from it hangs beneath."""

from __future__ import annotations

from typing import Any

import msgspec
from dash import html

from trainvitals.wire.messages import Argument, Evidence, Finding, FindingState
from trainvitals_dashboard.parts.findings import evidence_chips, finding_in_full, findings_card


def finding(rule: str, *, cause: str | None = None, state: FindingState = "open") -> Finding:
    return Finding(
        finding_id=rule, run_id="r", rule=rule, severity="warning", state=state, first_step=1, last_step=2,
        summary=f"summary of {rule}", cause_id=cause,
    )  # fmt: skip


def having(piece: Any, class_name: str) -> list[Any]:
    return [part for part in piece._traverse() if class_name in (getattr(part, "className", None) or "").split()]


def opens(piece: Any) -> list[str]:
    return [part.to_plotly_json()["props"]["data-finding"] for part in having(piece, "tv-follow")]


CHAIN = [finding("c", cause="b"), finding("b", cause="a"), finding("a"), finding("d")]


def test_only_causes_and_what_stands_alone_are_items_of_their_own() -> None:
    card = findings_card(CHAIN)

    assert [title.children for title in having(card, "tv-tl-title")] == ["A", "D"]
    assert opens(card) == ["b", "c"]


def test_a_finding_whose_cause_is_not_there_stands_alone() -> None:
    card = findings_card([finding("b", cause="gone")])

    assert [title.children for title in having(card, "tv-tl-title")] == ["B"]


def test_findings_beyond_the_first_few_are_folded_in_and_counted_with_what_follows_from_them() -> None:
    many = [finding(name) for name in "defgh"] + [finding("x", cause="h"), finding("z", state="resolved")]
    card = findings_card(many)
    (fold,) = [part for part in card._traverse() if isinstance(part, html.Details)]

    assert [title.children for title in having(card, "tv-tl-title")] == ["D", "E", "F", "G", "H", "Z"]
    assert [title.children for title in having(fold, "tv-tl-title")] == ["H", "Z"]
    (more, warnings, resolved) = fold.children[0].children
    assert (more.children, warnings.children[1], resolved.children) == ("3 more", "2", "1 resolved")


def test_one_finding_too_many_is_not_folded_in() -> None:
    card = findings_card([finding(name) for name in "defgh"])

    assert not [part for part in card._traverse() if isinstance(part, html.Details)]


def test_a_finding_in_full_names_its_cause_and_what_follows_from_it() -> None:
    (body,) = [finding_in_full(CHAIN[1], None, among=CHAIN)]
    linked = [button for piece in body if piece is not None for button in opens(piece)]

    assert linked == ["a", "c"]


def test_a_threshold_says_of_what_it_is_unless_that_stands_before_it() -> None:
    bare = Evidence(stat="zero_fraction", value=0.99, threshold=0.9)
    named = Evidence(stat="zero_fraction", value=0.99, threshold=0.9, numbers={"zeros": 0.99})

    assert [label for label, _ in evidence_chips(bare)] == ["Zero fraction", "threshold"]
    assert [label for label, _ in evidence_chips(named)] == ["threshold of zero fraction", "zeros"]


def test_a_cause_is_told_with_what_the_run_says_of_it() -> None:
    because = "0.3 is 300 times what is usual for Adam (0.001)"
    argument = Argument(cause="a learning rate too high", likelihood="likely", because=because)
    causes = ["a learning rate too high", "a batch of torch.nan values"]
    one = msgspec.structs.replace(CHAIN[0], causes=causes, arguments=[argument])
    items = having(html.Div(finding_in_full(one, None)), "tv-ol")[0].children
    assert [len(having(item, "tv-argument")) for item in items] == [1, 0]
    assert not [part for item in items for part in item.children if isinstance(part, list)]  # React draws none
    (argued,) = having(items[0], "tv-argument")
    assert [part.children for part in argued.children] == ["likely", f": {because}"]
