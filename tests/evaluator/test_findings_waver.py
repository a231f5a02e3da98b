"""Findings at a line: they do not come and go, nor grow and shrink, with every look."""

from __future__ import annotations

from trainvitals.wire.messages import Finding, Severity
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.evaluator.lifecycle import Life


def symptom(rule: str = "loss_spike", *, severity: Severity = "warning") -> Symptom:
    return Symptom(rule=rule, severity=severity, summary="ill", first_step=5, last_step=10)


def states(findings: list[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def looked(life: Life, times: int, *symptoms: Symptom) -> list[Finding]:
    return [found for now in range(times) for found in life.judge(symptoms, now=float(now))]


def test_a_finding_that_comes_and_goes_resolves_less_and_less_readily() -> None:
    life = Life("r")
    quiet = []
    for _ in range(5):
        looked(life, 2, symptom())
        looks = next(look for look in range(1, 100) if life.judge([], now=9.0))
        quiet.append(looks)

    assert quiet == [3, 6, 12, 12, 12]


def test_a_finding_grows_graver_at_once_and_milder_when_it_stays_so() -> None:
    life = Life("r")
    looked(life, 2, symptom())
    (graver,) = life.judge([symptom(severity="critical")], now=3.0)
    wavering = looked(life, 2, symptom(severity="info")) + looked(life, 1, symptom(severity="critical"))
    milder = looked(life, 3, symptom(severity="info"))

    assert graver.severity == "critical"
    assert [(found.severity, len(found.history)) for found in (*wavering, *milder)] == [("info", 3)]


def jump(step: int, *, severity: Severity = "info") -> Symptom:
    return Symptom(
        rule="loss_spike", severity=severity, summary=f"a jump at {step}", first_step=step, last_step=step + 1,
        is_event=True,
    )  # fmt: skip


def told(finding: Finding) -> tuple[str, int, int]:
    return finding.summary, finding.first_step, finding.last_step


def test_a_later_event_takes_the_place_of_an_earlier_one_with_its_steps() -> None:
    life = Life("r")
    opened = [found for now in range(2) for found in life.judge([jump(413)], now=float(now), step=500)]
    (later,) = life.judge([jump(654)], now=2.0, step=700)

    assert list(map(told, opened)) == [("a jump at 413", 413, 414)]
    assert (told(later), later.opened_step) == (("a jump at 654", 654, 655), 700)


def test_with_its_end_a_run_s_findings_grow_no_milder() -> None:
    life = Life(run_id="r")
    looked(life, 2, symptom(severity="critical"))
    looked(life, 2, symptom(severity="warning"))

    life.judge([symptom(severity="warning")], now=1.0, step=9, is_last=True)

    assert [found.severity for found in life.findings.values()] == ["critical"]


def test_a_milder_event_has_not_the_steps_of_the_graver_one_whose_words_are_kept() -> None:
    life = Life("r")
    looked(life, 2, jump(413, severity="warning"))
    looked(life, 1, jump(654))

    assert told(next(iter(life.findings.values()))) == ("a jump at 413", 413, 414)


def test_an_event_that_was_told_of_in_the_place_of_another_has_its_own_step() -> None:
    life = Life("r")
    life.judge([jump(413)], now=1.0)
    (opened,) = life.judge([jump(654)], now=2.0)

    assert told(opened) == ("a jump at 654", 654, 655)


def test_a_run_that_goes_on_or_ends_hangs_no_more() -> None:
    life = Life("r")
    opened = life.judge([symptom("run_stalled")], now=1.0, is_moment=False)
    goes_on = life.judge([], now=2.0, is_moment=False)
    again = life.judge([symptom("run_stalled")], now=3.0, is_moment=False)
    ended = life.judge([symptom("run_stalled")], now=4.0, is_last=True)

    assert [states(found) for found in (opened, goes_on, again, ended)] == [
        ["open"],
        ["resolved"],
        ["open"],
        ["resolved"],
    ]


def test_what_was_muted_resolves_as_readily_as_before() -> None:
    life = Life("r")
    for _ in range(3):
        looked(life, 2, symptom())
        life.mute({"loss_spike": "muted by Ada"}, now=5.0, step=10)
    looked(life, 2, symptom())

    assert [states(life.judge([], now=now)) for now in (6.0, 7.0, 8.0)] == [[], [], ["resolved"]]
