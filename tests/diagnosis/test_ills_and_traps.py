"""Every rule speaks on its ill, and is silent on the healthy twin and on what tempts naive rules."""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainvitals.wire.messages import InitialWeights, LayerInfo
from trainvitals_server.diagnosis.catalogue import page, rules
from trainvitals_server.diagnosis.grouping import group_layers
from trainvitals_server.diagnosis.window import Series, Window
from trainvitals_server.evaluator.snapshots import nonfinite_of

LAYERS = tuple(f"fc{index}" for index in range(8))
SNAPSHOTS = 64


def layer(name: str, **more: Any) -> LayerInfo:
    return LayerInfo(**({"name": name, "kind": "Linear", "parameters": 1000, "trainable": 1000} | more))


def series(values: Any) -> Series:
    found = np.asarray(values, np.float32)
    return Series(steps=np.arange(len(found), dtype=np.int64), values=found)


def falling(points: int = 400, *, start: float = 2.3, end: float = 0.2, noise: float = 0.05) -> Any:
    curve = end + (start - end) * np.exp(-np.arange(points) / (points / 6))
    return curve + noise * np.random.default_rng(0).standard_normal(points)


def flat(points: int = 400, *, level: float = 2.3, noise: float = 0.02) -> Any:
    return level + noise * np.random.default_rng(0).standard_normal(points)


def window(*, loss: Any = None, lr: Any = None, info: Any = None, **stats: Any) -> Window:
    """Eight linear layers over 64 snapshots; each stat a number, one a layer, or [snapshots, layers]."""
    described = {name: layer(name) for name in LAYERS} | {found.name: found for found in info or ()}
    healthy = {"grad_norm": 1.0, "weight_norm": np.linspace(10, 11, SNAPSHOTS)[:, None], "update_ratio": 1e-3}
    filled = {
        name: np.broadcast_to(np.asarray(value, np.float32), (SNAPSHOTS, len(LAYERS))).copy()
        for name, value in (healthy | stats).items()
    }
    metrics = {"loss": series(falling() if loss is None else loss)}
    if lr is not None:
        metrics["lr"] = series(lr)
    return Window(
        run_id="r",
        step=len(metrics["loss"].steps) - 1,
        layers=LAYERS,
        steps=np.arange(SNAPSHOTS, dtype=np.int64) * 5,
        stats=filled,
        nonfinite=nonfinite_of(filled, LAYERS, described),
        metrics=metrics,
        info=described,
    )


def spoken(found: Window) -> set[str]:
    return {symptom.rule for rule in rules().values() for symptom in rule(found)}


def with_nan(row: int, column: int) -> Any:
    gradients = np.ones((SNAPSHOTS, len(LAYERS)))
    gradients[row:, column] = np.nan
    return gradients


def late_explosion() -> Any:
    norms = np.ones(SNAPSHOTS)
    norms[-4:] = 1e4
    return norms[:, None]


def risen() -> Any:
    return np.concatenate([falling(300), np.linspace(0.3, 4.0, 100)])


def jumped(*, back: bool) -> Any:
    curve = falling(400, noise=0.01)
    curve[380 if back else 398 : 383 if back else 400] += 3.0
    return curve


def lost() -> Any:
    """Blown up within ten steps, then at rest far above the start."""
    return np.concatenate([[1.4, 1.4, 1.3], np.logspace(3, 16, 10), flat(387, level=233.0)])


def blown() -> Any:
    ratios = np.full((SNAPSHOTS, 1), 1e-3)
    ratios[:4] = 50.0
    return ratios


FADED = np.logspace(-8, 0, len(LAYERS))
ILLS = [
    ("non_finite_values", window(grad_norm=with_nan(40, 5))),
    ("non_finite_values", window(loss=[*falling(), np.nan])),
    ("vanishing_gradients", window(loss=flat(), grad_norm=FADED, update_ratio=1e-3 * FADED)),
    ("exploding_gradients", window(loss=risen(), grad_norm=late_explosion())),
    ("dead_activations", window(info=[layer("fc3", kind="ReLU", parameters=0, trainable=0)], zero_fraction=1.0)),
    ("updates_too_large", window(loss=flat(), update_ratio=0.2)),
    ("updates_too_small", window(loss=flat(), update_ratio=1e-7)),
    ("layer_not_learning", window(weight_norm=10.0, update_ratio=0.0)),
    ("loss_not_decreasing", window(loss=flat())),
    ("loss_spike", window(loss=jumped(back=True))),
    ("loss_spike", window(loss=jumped(back=False))),
    ("loss_diverging", window(loss=risen())),
    ("loss_diverging", window(loss=lost())),
    ("updates_too_large", window(loss=lost(), update_ratio=blown())),
]


@pytest.mark.parametrize(("rule", "sick"), ILLS, ids=[f"{number}-{rule}" for number, (rule, _) in enumerate(ILLS)])
def test_a_rule_speaks_on_its_ill(rule: str, sick: Window) -> None:
    assert rule in spoken(sick)


TRAPS = {
    "a healthy run": window(),
    "a loss that falls for all of the run": window(loss=np.linspace(5, 1, 500)),
    "a converged loss that jumps by large factors near zero": window(loss=falling(end=0.001, noise=0.004)),
    "a negative loss that falls": window(loss=falling(start=1.0, end=-5.0)),
    "a new level of the loss": window(loss=np.concatenate([falling(300), falling(60) * 0 + 0.9])),
    "warm-up": window(loss=flat(60), update_ratio=1e-7, lr=np.linspace(0, 1e-3, 60)),
    "a schedule's tail": window(loss=falling(), update_ratio=1e-7, lr=np.linspace(1e-3, 0, 400)),
    "a converged network": window(grad_norm=1e-9, update_ratio=1e-6),
    "frozen layers": window(
        info=[layer(name, trainable=0) for name in LAYERS[:4]],
        weight_norm=np.where(np.arange(8) < 4, 10.0, np.linspace(10, 11, SNAPSHOTS)[:, None]),
        update_ratio=np.where(np.arange(8) < 4, np.nan, 1e-3),
        grad_norm=np.where(np.arange(8) < 4, np.nan, 1.0),
    ),
    "healthy sparsity": window(info=[layer("fc3", kind="ReLU", parameters=0, trainable=0)], zero_fraction=0.9),
    "zeros of dropout": window(info=[layer("fc3", kind="Dropout", parameters=0, trainable=0)], zero_fraction=1.0),
    "faded gradients while the loss falls": window(grad_norm=FADED, update_ratio=1e-3 * FADED),
    "large steps that pay": window(update_ratio=0.1),
    "a huge first step that pays": window(update_ratio=blown()),
    "a loss that begins at zero": window(
        loss=1e-4 + 0.5 * (1 - np.exp(-np.arange(400) / 9)) - np.linspace(0, 0.4, 400)
    ),
    "a policy's loss about zero": window(loss=0.1 * np.random.default_rng(1).standard_normal(400)),
    "warm-up over the first steps of a long run": window(loss=flat(150), lr=np.linspace(0, 1e-3, 150)),
    "too few points to say anything": window(loss=flat(10), grad_norm=1.0),
}


@pytest.mark.parametrize("name", TRAPS)
def test_no_rule_cries_wolf(name: str) -> None:
    assert spoken(TRAPS[name]) == set()


def test_a_gradient_that_does_not_come_is_told_from_one_that_is_nan_by_the_update() -> None:
    skipped = window(grad_norm=with_nan(40, 5), update_rms=1e-4)
    spoilt = window(grad_norm=with_nan(40, 5), update_rms=np.where(np.isnan(with_nan(40, 5)), np.nan, 1e-4))

    assert "non_finite_values" not in spoken(skipped)
    assert "non_finite_values" in spoken(spoilt)


def test_the_first_layer_with_nan_leads_its_finding() -> None:
    (symptom,) = rules()["non_finite_values"](window(grad_norm=with_nan(40, 5)))

    assert symptom.layers[0] == "fc5"
    assert symptom.first_step == 200


@pytest.mark.parametrize(("rest", "step", "words"), [(0, 0, "have not moved at all"), (30, 150, "stopped moving")])
def test_a_layer_that_stopped_is_told_from_one_that_never_moved(rest: int, step: int, words: str) -> None:
    ratios = np.where(np.arange(SNAPSHOTS) < rest, 1e-3, 0.0)[:, None]
    norms = np.minimum(np.arange(SNAPSHOTS), rest)[:, None] + 10.0

    (symptom,) = rules()["layer_not_learning"](window(update_ratio=ratios, weight_norm=norms))

    assert (symptom.first_step, words in symptom.summary) == (step, True)


@pytest.mark.parametrize(("share", "words"), [(0.0, "is zero"), (1e-9, "has run out")])
def test_layers_that_rest_for_want_of_a_rate_are_told_so(share: float, words: str) -> None:
    rate = np.where(np.arange(SNAPSHOTS) < 20, 0.1, 0.1 * share)
    (symptom,) = rules()["layer_not_learning"](window(update_ratio=0.0, weight_norm=10.0, lr=rate))
    assert symptom.key == f"the learning rate {words}"


def test_a_layer_outside_the_optimizer_is_told_from_one_without_gradient() -> None:
    stray = [layer("fc1", in_optimizer=False)]
    still = np.where(np.arange(8) == 1, 0.0, 1e-3)
    norms = np.where(np.arange(8) == 1, 10.0, np.linspace(10, 11, SNAPSHOTS)[:, None])

    (symptom,) = rules()["layer_not_learning"](window(info=stray, update_ratio=still, weight_norm=norms))

    assert (symptom.layers, symptom.key) == (("fc1",), "not in the optimizer")


def drawn(name: str, *, trainable: bool, fan_in: int = 64, spread: float = 3**-0.5, end: float = 0.999) -> LayerInfo:
    """A layer whose weights reach up to ``end`` ∕ √inputs."""
    largest = end / math.sqrt(fan_in)
    begun = InitialWeights(std=spread * largest, largest=largest, fan_in=fan_in)
    return LayerInfo(name=name, kind="Linear", parameters=4096, trainable=4096 * trainable, initial=begun)


@pytest.mark.parametrize(
    ("head", "moves", "told"),
    [
        (drawn("fc1", trainable=False), False, True),
        (drawn("fc1", trainable=True), False, False),
        (drawn("fc1", trainable=False), True, False),  # by hand, or thawed since it was described
        (drawn("fc1", trainable=False, spread=0.3), False, False),  # bell-shaped, as training leaves weights
        (drawn("fc1", trainable=False, end=1.4), False, False),
        (drawn("fc1", trainable=False, end=0.998), False, False),
    ],
    ids=["as drawn", "trains", "moves", "trained", "of another recipe", "a copy of what trains"],
)
def test_frozen_layers_are_told_of_that_nobody_has_trained(head: LayerInfo, moves: bool, told: bool) -> None:
    norms = np.linspace(10, 11, SNAPSHOTS)[:, None] * np.ones(8)
    if not moves:
        norms[:, 1] = 10.0
    found = window(info=[drawn("fc0", trainable=True, end=0.998), head], update_ratio=1e-3, weight_norm=norms)

    said = [(symptom.severity, symptom.layers) for symptom in rules()["frozen_untrained"](found)]

    assert said == [("info", ("fc1",))] * told


def test_an_explosion_is_seen_before_clipping() -> None:
    found = window(loss=risen(), grad_norm=1.0)
    clipped = dict(found.metrics) | {
        "grad_norm_before_clipping": Series(steps=found.steps, values=late_explosion()[:, 0].astype(np.float32))
    }

    assert list(rules()["exploding_gradients"](found)) == []
    assert list(rules()["exploding_gradients"](replace(found, metrics=clipped)))


def test_a_loss_that_settles_at_chance_at_once_has_not_decreased() -> None:
    (symptom,) = rules()["loss_not_decreasing"](window(loss=[2.4, 2.38, *flat(300, level=2.3)]))

    assert symptom.severity == "warning"


def test_a_loss_that_stands_for_a_short_while_is_no_warning_yet() -> None:
    (symptom,) = rules()["loss_not_decreasing"](window(loss=flat(150)))

    assert symptom.severity == "info"


def test_a_single_high_point_at_the_end_is_no_warning_yet() -> None:
    (symptom,) = rules()["loss_spike"](window(loss=[*falling(399, noise=0.01), 4.0]))

    assert symptom.severity == "info"


def test_steps_that_blow_the_loss_up_at_once_are_judged_by_the_loss_before_them() -> None:
    first = [2.3, 3.9, 7.5, 9.3, 13.0, *flat(55, level=4.4, noise=0.5)]

    (symptom,) = rules()["updates_too_large"](window(loss=first, update_ratio=blown()))

    assert (symptom.severity, symptom.evidence.numbers["loss before"]) == ("critical", pytest.approx(2.3))


def risen_before_the_blow(*, to: float) -> Window:
    """A first step is large, the second a blow to what the first has spoilt already; the loss comes back from afar."""
    ratios = np.full((SNAPSHOTS, 1), 1e-3)
    ratios[:6, 0] = [0.25, 2.4, 6.6, 3.1, 30.0, 200.0]
    blown_up = np.concatenate([[2.31, 2.66], np.logspace(1, 9, 18), np.logspace(3, np.log10(2 * to), 40)])
    seen = window(loss=np.concatenate([blown_up, flat(100, level=to, noise=0.06)]), update_ratio=ratios)
    return replace(seen, steps=np.concatenate([np.arange(6), 6 + 2 * np.arange(SNAPSHOTS - 6)]))


def test_a_blow_is_told_where_the_loss_rests_under_what_it_had_risen_to_and_not_under_its_start() -> None:
    (symptom,) = rules()["updates_too_large"](risen_before_the_blow(to=2.38))

    assert (symptom.severity, symptom.first_step) == ("warning", 1)
    assert symptom.evidence.numbers["loss before"] == pytest.approx(2.31)


def test_a_blow_from_which_the_loss_comes_back_is_no_ill() -> None:
    assert list(rules()["updates_too_large"](risen_before_the_blow(to=1.9))) == []


CLASSES = {"loss_function": 0, "classes": 10, "chance": np.log(10), "loss_calls": 1}


@pytest.mark.parametrize(("rest", "words"), [(2.35, ["no better than knowing nothing"]), (1.9, [])])
def test_a_blow_to_what_began_above_chance_is_told_where_the_loss_rests_at_chance(
    rest: float, words: list[str]
) -> None:
    seen = window(
        loss=np.concatenate([[4.0, 60.0, 900.0], flat(397, level=rest)]), update_ratio=blown(),
        info=[layer(LAYERS[-1], settings={"out_features": 10.0})],
    )  # fmt: skip
    facts = {f"facts/{name}": series([value] * 5) for name, value in CLASSES.items()}

    found = list(rules()["updates_too_large"](replace(seen, metrics=dict(seen.metrics) | facts)))

    assert [word for symptom in found for word in words if word in symptom.summary] == words


BORN_AT_ZERO = InitialWeights(std=0.0, largest=0.0, fan_in=8)


def adapters(ratio: float, *, of_adapters: float = 1e-3) -> Window:
    """Six of eight layers began at zero; one step of the others in ten snapshots, and the loss has risen since."""
    ratios = np.full((SNAPSHOTS, len(LAYERS)), 1e-3)
    ratios[10] = [of_adapters] * 6 + [ratio] * 2
    info = [layer(name, initial=BORN_AT_ZERO) for name in LAYERS[:6]]
    return window(loss=np.concatenate([flat(60), flat(340, level=6.0)]), update_ratio=ratios, info=info)


def test_a_blow_to_the_layers_beside_adapters_is_told() -> None:
    (symptom,) = rules()["updates_too_large"](adapters(0.9))

    assert (symptom.severity, symptom.layers, symptom.first_step) == ("critical", LAYERS[6:], 50)
    assert (symptom.evidence.value, symptom.evidence.threshold) == (pytest.approx(0.9), 0.5)


def test_a_long_step_of_adapters_alone_is_no_blow() -> None:
    assert list(rules()["updates_too_large"](adapters(1e-3, of_adapters=50.0))) == []


def test_an_infinite_step_is_a_blow() -> None:
    ratios = np.full((SNAPSHOTS, 1), 1e-3)
    ratios[10] = np.inf

    (symptom,) = rules()["updates_too_large"](
        window(loss=np.concatenate([flat(60), flat(340, level=6.0)]), update_ratio=ratios)
    )

    assert (symptom.severity, symptom.layers, symptom.evidence.value) == ("critical", LAYERS, "Infinity")


def test_steps_that_are_always_too_long_are_held_against_the_line_that_they_cross() -> None:
    (symptom,) = rules()["updates_too_large"](window(loss=flat(), update_ratio=0.2))

    assert symptom.evidence.threshold == 0.03


HEADINGS = [
    "What it checks",
    "Why it matters",
    "How to confirm",
    "What to try",
    "When it is wrong",
    "Options",
    "Source",
]


@pytest.mark.parametrize("name", rules())
def test_a_page_has_the_headings_and_the_options_of_its_rule(name: str) -> None:
    text = page(name)
    options = [p for p in inspect.signature(rules()[name]).parameters.values() if p.kind is p.KEYWORD_ONLY]

    assert re.findall(r"^## (.*)$", text, re.M) == HEADINGS
    assert re.findall(r"^\| `(\w+)` \| `(.*?)` \|", text, re.M) == [(p.name, repr(p.default)) for p in options]


@pytest.mark.parametrize(("logged", "validated"), [("train_loss", "eval/loss"), ("train/loss", "val_loss")])
def test_evidence_names_metrics_as_they_were_logged(logged: str, validated: str) -> None:
    rising = 1.0 + np.linspace(0, 1, len(falling()))
    told = window(loss=falling())
    curve = told.metrics["loss"]
    metrics = {logged: curve, validated: Series(steps=curve.steps, values=rising.astype(np.float32))}
    (symptom,) = rules()["overfitting"](replace(told, metrics=metrics))
    assert symptom.evidence.metric == validated

    spoilt = Series(steps=curve.steps, values=np.where(curve.steps > 50, np.nan, curve.values).astype(np.float32))
    (symptom,) = rules()["non_finite_values"](replace(told, metrics={logged: spoilt}))
    assert symptom.evidence.metric == logged
    last = int(curve.steps[curve.steps <= 50][-1])
    assert symptom.evidence.numbers[f"loss at step {last:,}"] == pytest.approx(
        float(spoilt.values[curve.steps == last][0])
    )


def test_layers_that_differ_in_a_number_are_named_together() -> None:
    assert group_layers([f"blocks.{n}.mlp" for n in (20, 21, 22, 23)]) == "blocks.20–23.mlp"
    assert group_layers(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_where_no_gradient_comes_back_small_updates_are_not_the_ill() -> None:
    dead = np.full((SNAPSHOTS, len(LAYERS)), 1e-9)
    dead[:, 1:] = 0.0
    found = list(rules()["updates_too_small"](window(loss=flat(), update_ratio=1e-8, grad_norm=dead)))
    assert found == []


def test_where_gradients_fade_the_advice_is_not_a_larger_learning_rate() -> None:
    found = spoken(window(loss=flat(), grad_norm=FADED, update_ratio=1e-3 * FADED))
    assert "vanishing_gradients" in found
    assert "updates_too_small" not in found
