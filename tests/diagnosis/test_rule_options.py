"""Options of rules are set to what they can be, and what cannot be is refused with what there is."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.options import (
    OptionNotFound,
    OptionRefused,
    RuleNotFound,
    RuleUnfit,
    configured,
    fitting,
    options_of,
)
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def low(window: Window, *, line: float = 0.5, points: int = 3, name: str = "loss", loudly: bool = False,
        offset: float = -1.0, most: int | None = None) -> Iterator[Symptom]:  # fmt: skip
    summary = f"{line} {points} {name} {loudly} {offset} {most}"
    yield Symptom(rule="low", severity="info", summary=summary, first_step=0, last_step=0)


RULES = {"low": low}


def said(**options: Any) -> str:
    """What the rule says with these options."""
    (symptom,) = configured(RULES, options={"low": options})["low"](Window(run_id="r", step=0))
    return symptom.summary


def test_options_are_keyword_only_parameters_with_their_defaults() -> None:
    assert options_of(low) == {
        "line": 0.5, "points": 3, "name": "loss", "loudly": False, "offset": -1.0, "most": None,
    }  # fmt: skip


def test_every_rule_of_the_catalogue_takes_its_own_defaults() -> None:
    defaults = {name: options_of(rule) for name, rule in rules().items()}

    assert fitting(rules(), defaults) == {name: options for name, options in defaults.items() if options}


def test_a_rule_judges_with_the_options_that_are_set_and_the_defaults_of_the_others() -> None:
    assert said(line=2, name="val_loss", loudly=True, offset=-3.5, most=4) == "2.0 3 val_loss True -3.5 4"


def test_hyphens_are_as_good_as_underscores() -> None:
    assert fitting({"so_low": low}, {"so-low": {"line": 1}}) == {"so_low": {"line": 1.0}}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"high": {"line": 1}}, RuleNotFound, "there are low"),
        ({"low": {"lines": 1}}, OptionNotFound, "it has line, points, name"),
        ({"low": {"line": "x"}}, OptionRefused, "Expected `float`, got `str`; its default is 0.5"),
        ({"low": {"line": None}}, OptionRefused, "Expected `float`"),
        ({"low": {"line": True}}, OptionRefused, "Expected `float`"),
        ({"low": {"line": float("nan")}}, OptionRefused, "finite"),
        ({"low": {"line": -0.1}}, OptionRefused, "0 or more"),
        ({"low": {"points": 0}}, OptionRefused, "1 or more"),
        ({"low": {"points": 2.5}}, OptionRefused, "Expected `int`"),
        ({"low": {"name": 1}}, OptionRefused, "Expected `str`"),
        ({"low": {"most": "many"}}, OptionRefused, "Expected `int | null`"),
    ],
)
def test_what_cannot_be_is_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as refused:
        fitting(RULES, options)
    assert words in str(refused.value)


def test_muted_rules_are_not_there() -> None:
    assert configured({"low": low, "high": low}, muted=["low", "gone"], options={}) == {"high": low}


def test_what_was_kept_for_an_option_or_rule_that_is_gone_is_passed_over_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        found = configured(RULES, options={"low": {"gone": 1, "line": 9, "points": "x"}, "gone": {"a": 1}})

    (symptom,) = found["low"](Window(run_id="r", step=0))
    assert (list(found), symptom.summary) == (["low"], "9.0 3 loss False -1.0 None")
    assert [words in caplog.text for words in ("'gone'", "low.points", "no rule 'gone'")] == [True] * 3


def no_default(window: Window, *, line: float) -> list[Symptom]:
    return []


def two_windows(window: Window, other: Window) -> list[Symptom]:
    return []


def odd_default(window: Window, *, line: object = inspect) -> list[Symptom]:
    return []


@pytest.mark.parametrize("rule", [no_default, two_windows, odd_default, 3])
def test_what_cannot_be_a_rule_is_told_from_one_that_can(rule: Any) -> None:
    with pytest.raises(RuleUnfit):
        options_of(rule)
