"""Pages say which rules are muted or set, by whom, and what was said before."""

from __future__ import annotations

from typing import Any

from trainvitals.wire.rules import ProjectRule, ProjectRules, RuleOption, RuleSettings
from trainvitals_dashboard.parts.findings import findings_card
from trainvitals_dashboard.parts.project_rules import project_card, rule_list

SPIKE = ProjectRule(name="loss_spike", title="Loss spike", options=[RuleOption(name="sigmas", default=8.0, value=12.0)])
OWN = ProjectRule(name="odd", title="Odd", package="our-rules", muted=True)
PLAIN = ProjectRule(
    name="same_batch",
    title="Same batch",
    checks="Whether each batch is the same.",
    stage="start simple",
    options=[RuleOption(name="samples", default=8, value=8)],
)
MINE = ProjectRule(name="mine", title="Mine", stage="diagnose the settings", package="our-rules")


def texts(piece: Any, class_name: str = "") -> list[str]:
    """What is written in it, or in the parts of a class."""
    parts = [piece, *piece._traverse()]
    having = [
        part for part in parts if not class_name or class_name in (getattr(part, "className", None) or "").split()
    ]
    return [part.children for part in having if isinstance(getattr(part, "children", None), str)]


def told(*history: RuleSettings) -> ProjectRules:
    return ProjectRules(project="p", settings=history[0] if history else RuleSettings(), history=list(history))


def test_a_rule_that_is_muted_set_or_another_packages_is_marked() -> None:
    found = rule_list([PLAIN, SPIKE, OWN])
    items = [part for part in found._traverse() if type(part).__name__ == "Li"]
    assert [texts(item, "tv-tag") for item in items] == [["set"], ["muted", "our-rules"], []]


def test_rules_stand_under_the_stages_of_the_checklist_and_those_that_are_muted_or_set_before_them() -> None:
    found = rule_list([PLAIN, SPIKE, OWN, MINE])
    heads = [part.children[0] for part in found._traverse() if type(part).__name__ == "H2"]
    assert heads == ["Muted or set", "Start simple", "Diagnose the settings"]
    assert "Whether each batch is the same." in texts(found)


def test_a_project_that_says_nothing_says_how_to_say_something() -> None:
    assert any("trainvitals rules --project p" in text for text in texts(project_card(told())))


def test_what_a_project_says_and_said_is_told_with_name_and_reason() -> None:
    old = RuleSettings(version=1, at=1.0, by="Ada", comment="on purpose", muted=["overfitting"])
    new = RuleSettings(version=2, at=2.0, by="Bob", options={"loss_spike": {"sigmas": 12.0}})
    found = texts(project_card(told(new, old)))

    wanted = ["loss_spike.sigmas = 12.0", "1 earlier", "on purpose", "overfitting is muted"]
    assert [text for text in found if text in wanted] == wanted
    assert [text.split(",")[1] for text in found if text.startswith("version")] == [" by Bob", " by Ada"]


def test_the_findings_of_a_run_end_with_the_rules_that_do_not_judge_it() -> None:
    card = findings_card([], muted={"loss_spike": "by the script"}, project="team/a b")

    links = [part.href for part in card._traverse() if hasattr(part, "href")]
    assert links == ["/rules?project=team%2Fa%20b", "/rules/loss_spike"]
    assert " by the script" in texts(card)
