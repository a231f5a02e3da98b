"""Lines of code as links into an editor."""

from __future__ import annotations

from typing import Any

from trainvitals.wire.messages import Finding, LayerInfo, OptimizerInfo, ParameterGroup
from trainvitals_dashboard.parts.source import OF_THE_OPTIMIZER, concerned, made_at
from trainvitals_server.diagnosis.catalogue import rules


def links(*sources: str | None) -> list[tuple[str, str]]:
    layers = [LayerInfo(name=f"l{number}", kind="Linear", source=source) for number, source in enumerate(sources)]
    pieces: list[Any] = made_at(layers)
    return [(part.children[1], part.href) for piece in pieces for part in piece._traverse() if hasattr(part, "href")]


def test_a_line_is_linked_once_however_many_layers_it_makes() -> None:
    assert links("/w/net.py:7", None, "/w/net.py:7", "C:\\w\\net.py:9") == [
        ("net.py:7", "vscode://file/w/net.py:7"),
        ("net.py:9", "vscode://file/C:/w/net.py:9"),
    ]


def test_signs_that_mean_something_in_an_address_are_written_out() -> None:
    assert links("/w/C#/a?b.py:1") == [("a?b.py:1", "vscode://file/w/C%23/a%3Fb.py:1")]


def test_a_file_of_another_machine_is_no_link() -> None:
    assert links("//host/share/net.py:7", "\\\\host\\share\\net.py:8") == []


def test_where_nothing_is_known_nothing_stands() -> None:
    assert made_at([LayerInfo(name="l", kind="Linear")]) == []


def finding(rule: str, *layers: str) -> Finding:
    return Finding(
        finding_id="f",
        run_id="r",
        rule=rule,
        severity="warning",
        first_step=0,
        last_step=1,
        summary="",
        layers=list(layers),
    )


def test_a_finding_is_about_the_layers_that_it_names_and_the_optimizers_where_they_are_to_be_changed() -> None:
    one, other = LayerInfo(name="one", kind="Linear"), LayerInfo(name="other", kind="Linear")
    layers, first = [one, other], OptimizerInfo(kind="Adam", groups=[ParameterGroup(settings={}, layers=["one"])])
    second = OptimizerInfo(kind="SGD", groups=[ParameterGroup(settings={}, layers=["other"])])

    assert concerned(finding("learning_rate_too_high"), layers, [first, second]) == [first, second]
    assert concerned(finding("updates_too_large", "other"), layers, [first, second]) == [second, other]
    assert concerned(finding("dead_activations", "one"), layers, [first, second]) == [one]


def test_those_to_be_changed_at_the_optimizer_are_rules() -> None:
    assert set(rules()) >= OF_THE_OPTIMIZER
