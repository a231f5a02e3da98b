"""Rules of other packages judge like ours; one that is broken is named in the log, and silences nothing."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainvitals_server.diagnosis.options import options_of
from trainvitals_server.diagnosis.own_rules import GROUP, OwnRule, own_rules
from trainvitals_server.diagnosis.window import Series, Window

SOUND = '''
from collections.abc import Iterator
import numpy as np
from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

def loss_negative(window: Window, *, least: float = 0.0) -> Iterator[Symptom]:
    """The loss is under zero."""
    lowest = window.loss.values.min()
    if lowest < least:
        yield Symptom(
            rule="of another name", severity="warning", summary="under zero", first_step=np.int64(1), last_step=2,
            layers=["a"], evidence=Evidence(value=lowest, threshold=least, numbers={"odd": np.float32("nan")}),
        )

def silent(window):
    """Says nothing."""

def of_another_name(window):
    return []

def no_symptom(window):
    return ["ill"]

def odd_severity(window):
    yield Symptom(rule="odd_severity", severity="grave", summary="ill", first_step=0, last_step=0)

def needs_more(window, threshold):
    return []

constant = 3
'''

Install = Callable[..., dict[str, OwnRule]]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """install(rule="module:function", …) → the rules of a package that is installed so; ``files`` lie beside it."""
    monkeypatch.syspath_prepend(tmp_path)

    def found(files: dict[str, str] | None = None, **entries: str) -> dict[str, OwnRule]:
        for name, text in {"their_rules.py": SOUND, **(files or {})}.items():
            (tmp_path / name).write_text(text)
        folder = tmp_path / "their_rules-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: their-rules\nVersion: 1.0\n")
        lines = [f"[{GROUP}]", *(f"{name} = {value}" for name, value in entries.items())]
        (folder / "entry_points.txt").write_text("\n".join(lines))
        for module in [name for name in sys.modules if name.startswith("their_")]:
            del sys.modules[module]
        importlib.invalidate_caches()
        (distribution,) = Distribution.discover(path=[str(tmp_path)])
        return own_rules(distribution.entry_points, taken={"loss_spike"})

    return found


def losing(*values: float) -> Window:
    loss = Series(steps=np.arange(len(values)), values=np.array(values, np.float32))
    return Window(run_id="r", step=len(values) - 1, metrics={"loss": loss})


def test_a_rule_of_another_package_judges_with_its_options(install: Install) -> None:
    own = install(loss_negative="their_rules:loss_negative")["loss_negative"]

    assert (own.package, options_of(own.judge)) == ("their-rules", {"least": 0.0})
    assert [len(list(own.judge(losing(1.0, value)))) for value in (0.5, -0.5)] == [0, 1]
    judge: Any = own.judge
    assert list(judge(losing(1.0, -0.5), least=-1.0)) == []


def test_its_symptoms_are_in_plain_numbers_and_bear_its_own_name(install: Install) -> None:
    (symptom,) = install(loss_negative="their_rules:loss_negative")["loss_negative"].judge(losing(1.0, -0.5))

    assert (symptom.rule, symptom.first_step, symptom.layers) == ("loss_negative", 1, ("a",))
    assert (type(symptom.evidence.value), symptom.evidence.numbers) == (float, {"odd": "NaN"})


def test_a_rule_that_returns_nothing_finds_nothing(install: Install) -> None:
    assert list(install(silent="their_rules:silent")["silent"].judge(losing(1.0))) == []


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"needs_more": "their_rules:needs_more"}, "takes the window"),
        ({"constant": "their_rules:constant"}, "no function"),
        ({"Loss-Odd": "their_rules:silent"}, "small letters"),
        ({"loss_spike": "their_rules:silent"}, "another rule of that name"),
        ({"gone": "their_rules:gone"}, "AttributeError"),
        ({"nowhere": "their_nothing:rule"}, "ModuleNotFoundError"),
        ({"raises": "their_raising:rule"}, "ZeroDivisionError"),
        ({"leaves": "their_leaving:rule"}, "SystemExit"),
    ],
)
def test_a_broken_rule_is_named_in_the_log_and_the_others_are_there(
    install: Install, caplog: pytest.LogCaptureFixture, entry: dict[str, str], word: str
) -> None:
    broken = {"their_raising.py": "1 / 0", "their_leaving.py": "raise SystemExit(1)"}
    with caplog.at_level(logging.WARNING):
        found = install(broken, silent="their_rules:silent", **entry)

    assert list(found) == ["silent"]
    assert f"rule {next(iter(entry))} of their-rules is left out" in caplog.text
    assert word in caplog.text


@pytest.mark.parametrize(("rule", "error"), [("no_symptom", TypeError), ("odd_severity", ValueError)])
def test_what_is_no_symptom_goes_no_further(install: Install, rule: str, error: type[Exception]) -> None:
    own = install(**{rule: f"their_rules:{rule}"})[rule]

    with pytest.raises(error):
        list(own.judge(losing(1.0)))


def test_its_page_lies_beside_its_module_and_gets_its_options(install: Install) -> None:
    page = "# A negative loss\n\n## What it checks\nThe loss.\n"
    own = install({"loss_negative.md": page}, loss_negative="their_rules:loss_negative")["loss_negative"]

    assert own.page.startswith(page.strip())
    assert "| `least` | `0.0` |" in own.page


def test_a_page_with_options_of_its_own_stays_as_it_is(install: Install) -> None:
    page = "# A negative loss\n\n## Options\nnone worth the name\n"
    own = install({"loss_negative.md": page}, loss_negative="their_rules:loss_negative")["loss_negative"]

    assert own.page == page


def test_a_rule_without_a_page_is_told_by_its_docstring(install: Install) -> None:
    page = install(loss_negative="their_rules:loss_negative")["loss_negative"].page

    assert page.startswith("# Loss negative\n\n## What it checks\nThe loss is under zero.\n")
