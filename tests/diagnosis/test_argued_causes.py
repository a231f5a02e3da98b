"""The causes of a finding are told with what the run's own numbers say for and against them, the likely ones first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinic.recording import load
from trainvitals.wire.messages import Argument, Finding, InitialWeights, LayerInfo, OptimizerInfo, ParameterGroup
from trainvitals_server.diagnosis.arguing.judging import argued
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window
from trainvitals_server.evaluator.replaying import replay

RECORDED = Path(__file__).parents[2] / "clinic" / "recorded"


def found(case: str, rule: str) -> Finding:
    findings = replay(load(RECORDED / f"{case}.run.zst"), {rule: rules()[rule]})
    return next(finding for finding in findings if finding.rule == rule)


def weighed(*causes: str, rule: str = "some_rule", layers: tuple[str, ...] = (), **window: Any) -> Symptom:
    symptom = Symptom(
        rule=rule, severity="warning", summary="", first_step=0, last_step=99, causes=causes, layers=layers
    )
    return argued(symptom, Window(run_id="r", step=99, **window))


def argument(cause: str, **window: Any) -> Argument | None:
    return next(iter(weighed(cause, **window).arguments), None)


def trained_by(kind: str, *rates: float, **settings: Any) -> dict[str, Any]:
    groups = [ParameterGroup(settings={"lr": rate, **settings}, layers=[f"layer{n}"]) for n, rate in enumerate(rates)]
    rate = Series(steps=np.arange(100), values=np.full(100, rates[0], np.float32))
    return {"optimizers": (OptimizerInfo(kind=kind, groups=groups),), "metrics": {"lr": rate}}


@pytest.mark.parametrize(
    ("case", "rule", "cause", "because"),
    [
        (
            "dead_activations-huge-steps-0",
            "dead_activations",
            "an update so large",
            "step 0 moved the weights by 12 times",
        ),
        ("learning_rate_too_low-sgd-0", "learning_rate_too_low", "a learning rate too low", "2 times less"),
        ("adam_rms_high-reweighted-0", "adam_rms_high", "second moments that forget too slowly (β₂)", "0.999"),
        ("inputs_not_normalised-raw-pictures-0", "inputs_not_normalised", "raw pixels, counts or measures", "1.25e+03"),
        ("activations_growing-relu-0", "activations_growing", "weights drawn too large for the activation", "√inputs"),
        ("activations_shrinking-tanh-0", "activations_shrinking", "weights drawn too small for the activation", "0.14"),
        ("saturated_activations-sigmoid-0", "saturated_activations", "inputs that are not normalised", "mean 72.3"),
        ("updates_too_large-gpt-0", "updates_too_large", "a learning rate too high", "1000 times the highest"),
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
    assert "data that have changed" not in {one.cause for one in finding.arguments}


@pytest.mark.parametrize(("kind", "rate"), [("AdamW", 2e-5), ("AdamW", 1e-4), ("SGD", 0.01), ("RMSprop", 2.5e-4)])
def test_rates_that_are_usual_somewhere_speak_neither_for_nor_against(kind: str, rate: float) -> None:
    for cause in ("a learning rate too high", "a learning rate too low", "a learning rate far too high or too low"):
        said = argument(cause, **trained_by(kind, rate))
        assert said is not None
        assert said.likelihood == "possible"


@pytest.mark.parametrize("kind", ["DAdaptAdam", "MuonWithAuxAdam", "SGDScheduleFree", "SignSGD"])
def test_of_an_optimizer_that_is_not_known_no_rate_is_usual(kind: str) -> None:
    assert argument("a learning rate too high", **trained_by(kind, 1.0)) is None
    assert argument("a momentum too high for the rate", **trained_by(kind, 1.0, momentum=0.99)) is None


def test_nothing_is_said_of_one_rate_where_groups_have_several() -> None:
    assert argument("a learning rate too high", **trained_by("Adam", 1e-5, 1.0)) is None


def test_the_strongest_decay_of_the_layers_that_are_concerned_counts() -> None:
    groups = [
        ParameterGroup(settings={"weight_decay": decay}, layers=[name]) for decay, name in ((0.0, "a"), (9.0, "b"))
    ]
    window: dict[str, Any] = {"optimizers": (OptimizerInfo(kind="AdamW", groups=groups),)}
    told = {
        layer: weighed("a weight decay too strong", layers=(layer,), **window).arguments[0].likelihood for layer in "ab"
    }
    assert told == {"a": "unlikely", "b": "likely"}
    assert weighed("a weight decay too strong", **window).arguments[0].because == "weight_decay is 9"


def test_a_rule_that_has_measured_its_cause_is_not_contradicted_by_a_setting() -> None:
    said = weighed(
        "a weight decay too strong", rule="weight_decay_too_strong", **trained_by("SGD", 0.1, weight_decay=0.0)
    )
    assert said.arguments[0].likelihood == "possible"


@pytest.mark.parametrize(
    ("mean", "std", "likelihood"), [(9.0, 0.1, "likely"), (0.3, 0.4, "unlikely"), (2.0, 1.0, "possible")]
)
def test_a_mean_is_far_from_zero_beside_its_spread(mean: float, std: float, likelihood: str) -> None:
    facts = {"facts/input_mean": mean, "facts/input_std": std}
    metrics = {name: Series(steps=np.arange(1), values=np.array([value], np.float32)) for name, value in facts.items()}
    info = {"first": LayerInfo(name="first", kind="Linear", parameters=12, trainable=12)}
    said = argument("inputs far from zero mean", metrics=metrics, info=info)
    assert said is not None
    assert said.likelihood == likelihood
    embedded = {"first": LayerInfo(name="first", kind="Embedding", parameters=12, trainable=12)}
    assert argument("inputs far from zero mean", metrics=metrics, info=embedded) is None


def test_weights_of_kinds_whose_inputs_are_not_those_of_a_unit_are_no_argument() -> None:
    initial = InitialWeights(std=1.0, largest=3.0, fan_in=64)
    layers = {"lstm": LayerInfo(name="lstm", kind="LSTM", parameters=99, trainable=99, initial=initial)}
    assert argument("weights drawn too large", info=layers) is None


def test_a_rate_that_was_warmed_up_speaks_against_a_missing_warm_up() -> None:
    rate = Series(steps=np.arange(100), values=np.minimum(np.arange(1, 101) / 50, 1.0).astype(np.float32))
    told = weighed("no warm-up", "a batch with broken data", metrics={"lr": rate})
    assert told.causes == ("a batch with broken data", "no warm-up")
    assert told.arguments[0].because == "the rate was warmed up from 0.02 to 1 over 49 steps"


def test_a_rate_that_grows_to_the_end_was_not_warmed_up() -> None:
    rate = Series(steps=np.arange(100), values=np.geomspace(1e-3, 10, 100).astype(np.float32))
    assert argument("no warm-up", metrics={"lr": rate}) is None


def test_odd_settings_cost_no_finding() -> None:
    odd = trained_by("Adam", 1e-3, betas="none", weight_decay="much", momentum=[1])
    initial = InitialWeights(std=float("nan"), largest=1.0, fan_in=-1)
    odd["info"] = {"a": LayerInfo(name="a", kind="Linear", parameters=4, trainable=4, initial=initial)}
    causes = ("a weight decay too strong", "weights drawn too large", "second moments too slow (β₂)")
    assert weighed(*causes, **odd).causes == causes


@pytest.mark.parametrize(
    ("rate", "advice"),
    [
        (0.3, "Set the learning rate to at most 0.003, and warm it up."),
        (1e-3, "Divide the learning rate by 10, and warm it up."),
    ],
)
def test_advice_on_the_rate_goes_by_what_is_usual_where_it_is_far_beyond(rate: float, advice: str) -> None:
    symptom = Symptom(
        rule="some_rule", severity="warning", summary="", first_step=0, last_step=99,
        causes=("a learning rate too high",),
        advice=("Divide the learning rate by 10, and warm it up.", "Clip gradients."),
    )  # fmt: skip

    assert argued(symptom, Window(run_id="r", step=99, **trained_by("Adam", rate))).advice == (
        advice,
        "Clip gradients.",
    )


@pytest.mark.parametrize("case", ["sgd-0", "adam-0", "gpt-0"])
def test_where_steps_are_too_short_a_rate_is_advised_by_which_they_would_not_be(case: str) -> None:
    finding = found(f"learning_rate_too_low-{case}", "learning_rate_too_low")
    said = re.match(r"Try (\S+), (\d+) times the learning rate, .* by about (\S+) of", finding.advice[0])
    assert said is not None
    rate, times, update = float(said[1]), int(said[2]), float(said[3])

    assert rate > 0
    assert update == pytest.approx(times * float(finding.evidence.value or 0), rel=0.1)
    assert update == pytest.approx(1e-3, rel=0.15)


def test_where_the_rate_is_far_under_what_is_usual_the_least_of_that_is_advised() -> None:
    finding = found("updates_too_small-adam-0", "updates_too_small")
    assert finding.advice[0] == "Set the learning rate to at least 1e-05 and compare."


@pytest.mark.parametrize(("rate", "where"), [(0.1, "within"), (0.5, "within"), (1.0, "somewhat above")])
def test_a_rate_just_beyond_what_is_usual_is_not_said_to_be_within_it(rate: float, where: str) -> None:
    told = argument("a learning rate too high", **trained_by("SGD", rate))
    assert told is not None
    assert told.because == f"{rate:g} is {where} what is usual for SGD (0.001 to 0.5)"


def test_units_that_were_dead_before_any_step_were_not_killed_by_one() -> None:
    steps, info = np.arange(0, 100, 10), {"relu": LayerInfo(name="relu", kind="ReLU")}
    dead = np.full((10, 1), 1.0, np.float32)
    born, killed = (
        next(
            rules()["dead_activations"](
                Window(run_id="r", step=90, layers=("relu",), steps=steps, info=info, stats={"zero_fraction": zeros})
            )
        )
        for zeros in (dead, np.where(steps[:, None] < 30, np.float32(0.5), dead))
    )

    assert argued(born, Window(run_id="r", step=90)).arguments[0].likelihood == "likely"
    assert ("from the start" in born.causes[0], "zeros_(layer.bias)" in born.advice[0]) == (True, True)
    assert ("an update so large" in killed.causes[0], "learning rate" in killed.advice[0]) == (True, True)


@pytest.mark.parametrize(("kind", "likelihood"), [("Sigmoid", "likely"), ("Tanh", "possible"), ("ReLU", None)])
def test_sigmoids_one_behind_the_other_are_a_likely_cause_of_what_fades(kind: str, likelihood: str | None) -> None:
    info = {f"layer{n}": LayerInfo(name=f"layer{n}", kind=kind) for n in range(4)}
    told = argument("saturating activations (sigmoid, tanh) multiplied over many layers", info=info)

    assert (told.likelihood if told else None) == likelihood
