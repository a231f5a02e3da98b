"""What ``run.probe`` looks at, and that the training never knows of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trainvitals
from tests.sdk.conftest import Offline
from tests.sdk.probed_models import CASES, CLASSES, Case, Counting, Language, cnn, mlp, tokens, trained
from trainvitals.inside.looking import MAX_BYTES, SCRIPTED, Looking
from trainvitals.inside.pacing import CERTAIN, Pacing
from trainvitals.inside.probe import read_probe
from trainvitals.inside.sketches import Subject, drawn, fetched
from trainvitals.wire.looks import MARKED, Look, Picture, decode_look, pixels

pytestmark = pytest.mark.usefixtures("one_thread")


def looks_of(offline: Offline) -> list[Look]:
    return [decode_look(record.payload) for record in offline.records if record.kind == "look"]


def pictures_of(look: Look, kind: str, layer: str | None = None) -> list[Picture]:
    return [
        picture
        for part in look.layers
        if layer in (None, part.layer)
        for picture in part.pictures
        if picture.kind == kind
    ]


def looked(offline: Offline, case: Case, probe: Any = None, **options: Any) -> list[Look]:
    given = case.batch(6) if probe is None else probe
    trained(offline.init(), case, probe=given, **options)
    return looks_of(offline)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_training_with_a_probe_is_the_same_bit_by_bit(case: Case, tmp_path: Path) -> None:
    torch.manual_seed(1)
    probe = case.batch(5)
    plain, without = trained(Offline(tmp_path / "without").init(), case)
    probed, model = trained(Offline(tmp_path / "with").init(), case, probe=probe, every=1)

    assert probed == plain
    assert len(looks_of(Offline(tmp_path / "with"))) == len(plain)
    for name, value in model.state_dict().items():
        assert torch.equal(value, without.state_dict()[name]), name
    assert [part.training for part in model.modules()] == [part.training for part in without.modules()]
    assert [len(part._forward_hooks) for part in model.modules()] == [
        len(part._forward_hooks) for part in without.modules()
    ]


def test_hooks_attributes_and_gradients_of_the_model_know_nothing_of_it(offline: Offline) -> None:
    _, model = trained(offline.init(), CASES["counts its calls"], probe=torch.randn(3, 6), every=1, steps=5)

    assert isinstance(model, Counting)
    assert (model.calls, model.heard["hook"], int(model.seen)) == (5, 5, 5)
    assert len(looks_of(offline)) == 5


def test_the_passes_of_a_probe_are_none_of_the_trainings(offline: Offline) -> None:
    trained(offline.init(), CASES["perceptron"], probe=torch.randn(3, 6), every=1)

    validated = offline.points("facts/validated_in_evaluation_mode")
    assert {count for _, count in validated} == {0}


@pytest.mark.parametrize("name", ["convolutions", "two inputs", "attention by function"])
def test_what_is_recorded_of_the_training_is_the_same(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    probe = CASES[name].batch(5)
    plain, probed = Offline(tmp_path / "without"), Offline(tmp_path / "with")
    trained(plain.init(), CASES[name])
    trained(probed.init(), CASES[name], probe=probe, every=1)

    for step in range(12):
        expected, found = plain.stats(step), probed.stats(step)
        assert {stat: str(values) for stat, values in found.items()} == {  # in which NaN is NaN
            stat: str(values) for stat, values in expected.items()
        }
    facts = {points.metric for frame in plain.frames for points in frame.metrics if points.metric.startswith("facts/")}
    assert facts
    assert {fact: str(probed.points(fact)) for fact in facts} == {fact: str(plain.points(fact)) for fact in facts}


def test_torchscript_is_told_of_and_left_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch lets go of it
        scripted = nn.Sequential(torch.jit.script(mlp()))
    said: list[str] = []
    looking = Looking(
        read_probe(torch.randn(2, 6), examples=2),
        Pacing(every=1, budget=0.02),
        hand_over=lambda taken: pytest.fail("it was looked into"),
        tell=said.append,
    )
    looking.follow(scripted, {}, {})

    assert looking.step_ended(0) == 0.0
    assert said == [SCRIPTED]


def test_a_batch_is_kept_as_it_was_and_only_a_few_examples_of_it(offline: Offline) -> None:
    batch = torch.randn(64, 6, requires_grad=True)
    kept = read_probe(batch, examples=4)
    with torch.no_grad():
        batch.zero_()

    assert kept.batch.shape == (4, 6)
    assert kept.batch.abs().sum() > 0
    assert not kept.batch.requires_grad


def test_of_pictures_there_are_inputs_saliency_filters_maps_and_class_activation(offline: Offline) -> None:
    look = looked(offline, CASES["convolutions"], examples=2)[-1]

    (first, second) = pictures_of(look, "input")
    assert (first.height, first.width, first.channels, second.example) == (16, 12, 3, 1)
    assert [(one.height, one.width) for one in pictures_of(look, "saliency", "")] == [(16, 12)] * 2
    (filters,) = pictures_of(look, "filter", "0")
    assert (filters.tiles, filters.channels, filters.low) == (12, 3, -filters.high)
    maps = pictures_of(look, "activation", "0")
    assert [(one.tiles, one.height, one.width, one.of[-1]) for one in maps] == [(8, 14, 10, 11)] * 2
    assert {part.layer for part in look.layers if part.layer not in ("", "3", "7")} == {
        "0",
        "1",
        "2",
        "4",
        "5",
        "6",
        "8",
    }
    assert [one.target in range(CLASSES) for one in pictures_of(look, "class_activation", "4")] == [True, True]


def test_activity_is_the_share_of_places_above_zero(offline: Offline) -> None:
    look = looked(offline, CASES["perceptron"], examples=4)[0]

    (picture,) = pictures_of(look, "activity", "1")
    (cells,) = pictures_of(look, "activation", "1")
    units = pixels(picture)
    assert (picture.width, picture.low, picture.high) == (70, 0.0, 1.0)
    assert {round(4 * unit / 254) for unit in units} <= {0, 1, 2, 3, 4}
    assert (cells.height, cells.width) == (4, 64)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("transformer", "block.self_attn"), ("attention by function", "block"), ("attention by hand", "block")],
)
def test_attention_is_seen_however_it_is_called(offline: Offline, name: str, layer: str) -> None:
    look = looked(offline, CASES[name], examples=3)[-1]

    maps = pictures_of(look, "attention", layer)
    assert [(one.example, one.tiles, one.height, one.width) for one in maps] == [(at, 2, 7, 7) for at in range(3)]
    assert all(0 <= one.low <= one.high <= 1 for one in maps)
    (saliency,) = pictures_of(look, "saliency", "")
    assert (saliency.height, saliency.width) == (3, 7)


def test_causal_attention_sees_nothing_that_comes_later(offline: Offline) -> None:
    look = looked(offline, CASES["attention by function"], examples=1)[0]

    (picture,) = pictures_of(look, "attention")
    head = pixels(picture)[:49]
    assert all(head[row * 7 + column] == 0 for row in range(7) for column in range(row + 1, 7))


@pytest.mark.parametrize("name", ["two inputs", "named inputs", "convolutions of signals"])
def test_a_batch_may_be_whatever_the_model_takes(offline: Offline, name: str) -> None:
    look = looked(offline, CASES[name], examples=2)[-1]

    assert look.examples == 2
    assert pictures_of(look, "activation")
    assert pictures_of(look, "saliency", "")


def test_of_inputs_and_labels_the_labels_say_which_class_is_asked_for(offline: Offline) -> None:
    given = [torch.randn(6, 3, 16, 12), torch.tensor([3, 0, 1, 1, 1, 1])]
    look = looked(offline, CASES["convolutions"], given, examples=2)[0]

    assert [one.target for one in pictures_of(look, "class_activation")] == [3, 0]


def test_a_target_may_be_chosen(offline: Offline) -> None:
    look = looked(offline, CASES["convolutions"], target=2, examples=2)[0]

    assert [one.target for one in pictures_of(look, "saliency")] == [2, 2]


def test_it_may_come_before_watch(offline: Offline) -> None:
    assert looked(offline, CASES["perceptron"], watched_first=False)


def test_a_compiled_model_is_seen_as_it_is_written_and_not_compiled_anew(offline: Offline, tmp_path: Path) -> None:
    torch._dynamo.reset()
    plain, _ = trained(Offline(tmp_path / "without").init(), CASES["perceptron"], compiled=True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    probed, _ = trained(offline.init(), CASES["perceptron"], probe=torch.randn(3, 6), compiled=True, every=1)
    frames = torch._dynamo.utils.counters["frames"]["ok"]

    assert probed == plain
    assert frames <= 2
    assert pictures_of(looks_of(offline)[-1], "activation", "1")


def test_a_model_that_fails_is_told_of_once_and_trains_on(offline: Offline, capsys: pytest.CaptureFixture[str]) -> None:
    losses, _ = trained(offline.init(), CASES["perceptron"], probe=torch.randn(3, 999), every=1)

    assert len(losses) == 12
    assert looks_of(offline) == []
    said = capsys.readouterr().err
    assert said.count("cannot be shown the probe") == 1
    assert "the training goes on" in said


def test_a_probe_of_what_is_not_watched_is_told_of(offline: Offline, capsys: pytest.CaptureFixture[str]) -> None:
    run = offline.init()
    run.probe(torch.randn(2, 3))
    run.finish()

    assert "nothing was looked at: watch(model, optimizer)" in capsys.readouterr().err


class Unread(nn.Module):
    """Knows no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training and torch.is_grad_enabled():
            raise RuntimeError("no gradients here")
        answer: Tensor = self.layer(inputs)
        return answer


def test_without_gradients_there_is_the_rest(offline: Offline) -> None:
    look = looked(offline, Case(Unread, lambda examples: torch.randn(examples, 6)))[-1]

    assert pictures_of(look, "activation", "layer")
    assert pictures_of(look, "saliency") == []


def test_a_short_training_is_looked_at_from_its_first_step_to_its_last(offline: Offline) -> None:
    looks = looked(offline, CASES["perceptron"], steps=52)

    assert {0, 1, 3, 10, 20, 50} <= {look.step for look in looks}


def looks_within(steps: int, *, look_seconds: float) -> list[int]:
    """Of a training whose steps take a tenth of a second."""
    now = [0.0]
    pacing = Pacing(every=None, budget=0.02, clock=lambda: now[0])
    found = []
    for step in range(steps):
        now[0] += 0.1
        if pacing.is_due(step):
            found.append(step)
            now[0] += look_seconds
            pacing.looked(step, seconds=look_seconds)
    return found


def test_looks_grow_apart_and_the_dear_ones_are_few() -> None:
    cheap, dear = looks_within(20_000, look_seconds=0.001), looks_within(20_000, look_seconds=2.0)

    assert 20 < len(cheap) < 40
    assert [step for step in dear if step <= 1000] == list(CERTAIN)
    assert 2.0 * len([step for step in dear if step > 1000]) <= 0.25 * 0.02 * 0.1 * 20_000


def test_a_look_has_a_bound_however_large_the_model(offline: Offline) -> None:
    def wide() -> nn.Module:
        maps = [nn.Conv2d(8 if at else 3, 8, 1) for at in range(60)]
        return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))

    look = looked(offline, Case(wide, lambda examples: torch.randn(examples, 3, 64, 64)), steps=1, examples=16)[0]

    assert sum(picture.size for part in look.layers for picture in part.pictures) <= MAX_BYTES
    assert pictures_of(look, "activation", "0")
    assert pictures_of(look, "activation", "59")


def test_what_is_not_finite_is_marked_and_leaves_the_scale_alone() -> None:
    values = torch.tensor([[[0.0, torch.nan], [torch.inf, 3e38]], [[-3e38, 0.0], [0.0, 0.0]]])
    (picture,) = fetched([drawn(Subject(layer="0", kind="activation"), values)])

    assert list(picture.data) == [127, MARKED, MARKED, 254, 0, 127, 127, 127]
    assert [picture.low, picture.high] == pytest.approx([-3e38, 3e38])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch": 3}, "takes a batch of tensors"),
        ({"batch": iter([1])}, "give it one batch of the loader"),
        ({"batch": torch.zeros(0, 3)}, "without examples"),
        ({"batch": (torch.zeros(3, 2), torch.zeros(4, 2))}, "as many in each"),
        ({"batch": torch.zeros(1, 5_000_000)}, "16 MB"),
        ({"batch": torch.zeros(3, 2), "target": [1]}, "for 3 examples"),
        ({"batch": torch.zeros(3, 2), "every": 0}, "every=0"),
        ({"batch": torch.zeros(3, 2), "examples": "few"}, "examples='few'"),
    ],
)
def test_what_cannot_be_meant_is_refused(offline: Offline, given: dict[str, Any], said: str) -> None:
    run = offline.init()
    with pytest.raises((TypeError, ValueError), match=said):
        run.probe(**given)
    run.finish()


def test_modules_of_pytorch_that_go_a_faster_way_do_so_again_afterwards(offline: Offline) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    looked(offline, Case(lambda: Language("module"), tokens))

    assert torch.backends.mha.get_fastpath_enabled() is before


def test_the_module_has_it_too(offline: Offline) -> None:
    run = offline.init()
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainvitals.watch(model, optimizer)
    trainvitals.probe(torch.randn(3, 6))
    model(torch.randn(4, 6)).sum().backward()
    optimizer.step()
    run.finish()

    assert len(looks_of(offline)) == 1


class Noting(nn.Module):
    """Notes its passes where nobody restores them: outside."""

    def __init__(self, passes: list[bool]) -> None:
        super().__init__()
        self.layer = nn.Linear(6, CLASSES)
        self.note = passes.append

    def forward(self, inputs: Tensor) -> Tensor:
        self.note(self.training)
        answer: Tensor = self.layer(inputs)
        return answer


def test_a_forked_child_looks_at_nothing(offline: Offline) -> None:
    passes: list[bool] = []
    run, model = offline.init(), Noting(passes)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run.watch(model, optimizer)
    run.probe(torch.randn(3, 6), every=1)
    for _ in range(2):
        model(torch.randn(4, 6)).sum().backward()
        optimizer.step()
        run.abandon()  # as it happens in a child

    assert passes == [True, False, False, True]


def test_half_precision_and_frozen_layers_are_seen(offline: Offline) -> None:
    def half() -> nn.Module:
        model = cnn().to(torch.bfloat16)
        model[0].requires_grad_(False)  # type: ignore[index]  # a Sequential
        return model

    case = Case(half, lambda examples: torch.randn(examples, 3, 16, 12, dtype=torch.bfloat16))
    assert pictures_of(looked(offline, case, probe=torch.randn(4, 3, 16, 12))[-1], "class_activation", "4")
