"""The causes of a finding are told with what the run's own numbers say for and against them, the likely ones first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinic.recording import load
from trainvitals.wire.messages import Finding
from trainvitals_server.diagnosis.arguing.judging import argued
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window
from trainvitals_server.evaluator.replaying import replay

RECORDED = Path(__file__).parents[2] / "clinic" / "recorded"


def found(case: str, rule: str) -> Finding:
    findings = replay(load(RECORDED / f"{case}.run.zst"), {rule: rules()[rule]})
    return next(finding for finding in findings if finding.rule == rule)


@pytest.mark.parametrize(
    ("case", "rule", "cause", "because"),
    [
        ("dead_activations-huge-steps-0", "dead_activations", "a learning rate too high", "1 is 1,000 times"),
        ("learning_rate_too_low-sgd-0", "learning_rate_too_low", "a learning rate too low", "200 times less"),
        ("adam_rms_high-reweighted-0", "adam_rms_high", "second moments that forget too slowly (β₂)", "0.999"),
        ("inputs_not_normalised-raw-pictures-0", "inputs_not_normalised", "raw pixels, counts or measures", "1.25e+03"),
        ("activations_growing-relu-0", "activations_growing", "weights drawn too large for the activation", "√inputs"),
        ("activations_shrinking-tanh-0", "activations_shrinking", "weights drawn too small for the activation", "0.14"),
    ],
)
def test_the_likely_cause_comes_first_with_the_numbers_that_speak_for_it(
    case: str, rule: str, cause: str, because: str
) -> None:
    finding = found(case, rule)
    assert finding.causes[0].startswith(cause)
    assert finding.arguments[0].cause == finding.causes[0]
    assert finding.arguments[0].likelihood == "likely"
    assert because in finding.arguments[0].because


def test_what_speaks_against_a_cause_puts_it_last() -> None:
    finding = found("loss_oscillating-shards-by-turns-0", "loss_oscillating")
    last = finding.arguments[-1]
    assert finding.causes[-1] == last.cause == "a momentum too high for the rate"
    assert (last.likelihood, last.because) == ("unlikely", "momentum is 0")


def test_a_cause_of_which_the_run_tells_nothing_is_possible_and_not_argued() -> None:
    finding = found("adam_rms_high-reweighted-0", "adam_rms_high")
    assert "data that have changed" in finding.causes
    assert "data that have changed" not in {argument.cause for argument in finding.arguments}


def test_no_argument_is_made_of_nothing_or_of_a_cause_with_two_sides() -> None:
    symptom = Symptom(
        rule="loss_plateau", severity="info", summary="", first_step=0, last_step=9,
        causes=("a learning rate far too high or too low", "a learning rate too high"),
    )  # fmt: skip
    assert argued(symptom, Window(run_id="r", step=9)) == symptom


def test_a_rate_that_was_warmed_up_speaks_against_a_missing_warm_up() -> None:
    rate = Series(steps=np.arange(100), values=np.minimum(np.arange(1, 101) / 50, 1.0).astype(np.float32))
    symptom = Symptom(
        rule="updates_too_large", severity="warning", summary="", first_step=0, last_step=99,
        causes=("no warm-up", "a batch with broken data"),
    )  # fmt: skip
    told = argued(symptom, Window(run_id="r", step=99, metrics={"lr": rate}))
    assert told.causes == ("a batch with broken data", "no warm-up")
    assert told.arguments[0].because == "the rate was warmed up from 0.02 to 1 over 49 steps"
