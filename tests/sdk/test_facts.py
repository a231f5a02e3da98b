"""Facts of batches, losses and passes, computed a second way; and that PyTorch is afterwards as it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainvitals.collector.loss_calls import LossCall
from trainvitals.collector.loss_facts import MOST_ROWS, facts_of
from trainvitals.wire import coding
from trainvitals.wire.facts import LOSS_FUNCTIONS
from trainvitals.wire.messages import LayerInfo, ModelInfo

Loss = Callable[[Tensor, Tensor], Tensor]


def one_step(offline: Any, model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> dict[str, float]:
    """The facts of the first step, by their names without the prefix."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer)
    loss(model(inputs), targets).mean().backward()
    optimizer.step()
    run.finish()
    found = {points.metric: points.values.tolist()[0] for frame in offline.frames for points in frame.metrics}
    return {name.removeprefix("facts/"): value for name, value in found.items() if name.startswith("facts/")}


def test_classes_labels_and_predictions_are_told(offline: Any) -> None:
    torch.manual_seed(0)
    model, inputs, labels = nn.Linear(5, 4), torch.randn(40, 5), torch.tensor([0] * 25 + [3] * 15)
    logits = model(inputs).detach()
    predicted = logits.argmax(1).tolist()
    facts = one_step(offline, model, inputs, labels, nn.CrossEntropyLoss())

    assert (facts["classes"], facts["rows"], facts["commonest_label"]) == (4, 40, 0)
    assert facts["chance"] == pytest.approx(math.log(4))
    assert facts["loss"] == pytest.approx(float(functional.cross_entropy(logits, labels)))
    assert facts["label_majority"] == pytest.approx(25 / 40)
    assert facts["label_entropy"] == pytest.approx(-(25 * math.log(25 / 40) + 15 * math.log(15 / 40)) / 40)
    assert facts["predicted_majority"] == pytest.approx(max(predicted.count(label) for label in range(4)) / 40)
    assert facts["accuracy"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert facts["score_min"] == pytest.approx(float(logits.min()))
    assert facts["score_sum_error"] == pytest.approx(float((logits.sum(1) - 1).abs().max()))


def test_rows_that_the_loss_ignores_do_not_count(offline: Any) -> None:
    labels = torch.tensor([1, 1, -100, -100, -100, 0])
    facts = one_step(offline, nn.Linear(5, 2), torch.randn(6, 5), labels, nn.CrossEntropyLoss())

    assert facts["label_majority"] == pytest.approx(2 / 3)
    assert (facts["commonest_label"], facts["labels_out_of_range"]) == (1, 0)


def test_rows_that_are_probabilities_are_told_from_logits(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.Softmax(1))
    facts = one_step(offline, model, torch.randn(8, 5), torch.randint(0, 3, (8,)), nn.CrossEntropyLoss())

    assert facts["score_min"] >= 0
    assert facts["score_sum_error"] < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.MSELoss()], ids=str)
def test_a_loss_within_autocast_is_told_and_so_is_the_rest_of_the_step(
    offline: Any, capfd: pytest.CaptureFixture[str], loss: Loss, dtype: torch.dtype
) -> None:
    targets = torch.tensor([1, 1, 0, 1]) if isinstance(loss, nn.CrossEntropyLoss) else torch.eye(2).repeat(2, 1)
    with torch.autocast("cpu", dtype=dtype):
        facts = one_step(offline, nn.Linear(5, 2), torch.randn(4, 5), targets, loss)

    assert ("prediction_std" if isinstance(loss, nn.MSELoss) else "accuracy") in facts
    assert offline.stats(0)["update_ratio"]["Linear"] > 0
    assert "watching met" not in capfd.readouterr().err


def test_a_few_rows_stand_for_a_picture_of_labels() -> None:
    labels = torch.arange(4 * 32 * 32).reshape(4, 32, 32) % 7
    scores = functional.one_hot(labels, 7).movedim(-1, 1).float()
    given = {"input": scores, "target": labels, "ignore_index": -100, "reduction": "mean"}
    facts = facts_of(LossCall(function="cross_entropy", given=given, answer=torch.zeros(())))

    assert facts["rows"] == 4 * 32 * 32 > MOST_ROWS
    assert float(facts["accuracy"]) == pytest.approx(1.0)
    assert float(facts["label_majority"]) == pytest.approx(1 / 7, abs=0.05)


def test_decisions_between_two_are_told_by_the_sign_of_the_logit(offline: Any) -> None:
    torch.manual_seed(0)
    model, inputs, targets = nn.Linear(5, 1), torch.randn(10, 5), torch.tensor([[1.0]] * 7 + [[0.0]] * 3)
    logits = model(inputs).detach()
    facts = one_step(offline, model, inputs, targets, nn.BCEWithLogitsLoss())

    assert facts["chance"] == pytest.approx(math.log(2))
    assert facts["label_majority"] == pytest.approx(0.7)
    assert facts["accuracy"] == pytest.approx(float(((logits > 0) == (targets > 0.5)).float().mean()))
    assert (facts["score_min"], facts["score_max"]) == pytest.approx((float(logits.min()), float(logits.max())))


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(("shape", "broadcast"), [((6, 1), 1.0), ((6,), 6.0), ((1,), 1.0)])
def test_shapes_that_are_broadcast_against_each_other_are_told(
    offline: Any, shape: tuple[int, ...], broadcast: float
) -> None:
    targets = torch.randn(shape)
    facts = one_step(offline, nn.Linear(5, 1), torch.randn(6, 5), targets, nn.MSELoss())

    assert facts["broadcast"] == broadcast
    assert facts["shapes_differ"] == (broadcast > 1)
    assert facts["target_mean"] == pytest.approx(float(targets.mean()))
    assert facts["target_std"] == pytest.approx(float(targets.std(correction=0)), abs=1e-6)


def test_inputs_are_told_by_scale_and_by_unequal_columns(offline: Any) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(50, 3) * torch.tensor([1.0, 10.0, 1000.0])
    facts = one_step(offline, nn.Linear(3, 1), inputs, torch.randn(50, 1), nn.MSELoss())

    spreads = inputs.std(0)
    assert facts["input_mean"] == pytest.approx(float(inputs.mean()), rel=1e-4)
    assert facts["input_std"] == pytest.approx(float(inputs.std(correction=0)), rel=1e-4)
    assert facts["input_max"] == pytest.approx(float(inputs.abs().max()))
    assert facts["input_column_ratio"] == pytest.approx(float(spreads.max() / spreads.min()), rel=1e-4)


def test_columns_that_never_change_do_not_count_as_uneven(offline: Any) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(200, 3)
    inputs[:, 1] = 0.1  # whose mean, in single precision, need not be 0.1
    facts = one_step(offline, nn.Linear(3, 1), inputs, torch.randn(200, 1), nn.MSELoss())

    assert 1.0 <= facts["input_column_ratio"] < 1.5


class Named(nn.Module):
    """Called as libraries call their models: by keyword alone."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, *, inputs: Tensor, kinds: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.inner(inputs) * mask + kinds, labels)


def test_inputs_that_are_given_by_keyword_are_known_whatever_comes_first(offline: Any) -> None:
    model = Named()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, largest = offline.init(), []
    run.watch(model, optimizer, every=1)
    for _ in range(3):
        inputs = torch.randn(50, 3)
        largest.append(float(inputs.abs().max()))
        batch = {"labels": torch.zeros(50, dtype=torch.long), "mask": torch.full((50, 1), 9.0)}
        model(**batch, kinds=torch.zeros(50, 1), inputs=inputs).backward()
        optimizer.step()
    run.finish()

    assert [value for _, value in offline.points("facts/input_max")] == pytest.approx(largest)
    assert len({value for _, value in offline.points("facts/input_checksum")}) == 3
    assert [rate > 0 for _, rate in offline.points("examples_per_second")] == [True, True]


@pytest.mark.parametrize("shape", [(8, 1, 256, 256), (256, 128), (32, 80)])
def test_decisions_of_many_places_are_told_from_places_in_all_columns(shape: tuple[int, ...]) -> None:
    columns = torch.arange(shape[-1]).expand(shape)
    target = (columns % 2).float()
    given = {"input": target * 2 - 1, "target": target, "reduction": "mean"}
    facts = facts_of(LossCall(function="binary_cross_entropy_with_logits", given=given, answer=torch.zeros(())))

    assert float(facts["label_majority"]) == pytest.approx(0.5, abs=0.1)
    assert float(facts["accuracy"]) == pytest.approx(1.0)


def train(model: nn.Module, *, steps: int, same: bool = False, watch: Any = None) -> list[float]:
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if watch:
        watch(model, optimizer)
    inputs, losses = torch.randn(8, 4), []
    for _ in range(steps):
        inputs = inputs if same else torch.randn(8, 4)
        loss = functional.cross_entropy(model(inputs), torch.randint(0, 3, (8,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("same", [True, False])
def test_the_same_batch_is_known_by_its_checksum(offline: Any, same: bool) -> None:
    run = offline.init()
    train(nn.Linear(4, 3), steps=5, same=same, watch=lambda *of: run.watch(*of, every=1))
    run.finish()
    checksums = [value for _, value in offline.points("facts/input_checksum")]

    assert len(checksums) == 5
    assert len(set(checksums)) == (1 if same else 5)


def test_losses_are_bit_identical_and_functions_are_as_they_were(offline: Any) -> None:
    before = {name: getattr(functional, name) for name in (*LOSS_FUNCTIONS, "handle_torch_function")}
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    bare = {name: value.clone() for name, value in model.state_dict().items()}
    losses = train(model, steps=12)
    model.load_state_dict(bare)
    run = offline.init()
    assert train(model, steps=12, watch=lambda *of: run.watch(*of, every=1)) == losses
    assert functional.cross_entropy is not before["cross_entropy"]
    run.finish()
    assert {name: getattr(functional, name) for name in before} == before


class Tabled(Tensor):
    """Looks up in a table what it does otherwise, as many a subclass."""

    table: ClassVar[dict[Any, Callable[..., Any]]] = {}

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in cls.table:
            return cls.table[func](*args, **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs or {})


def handled(*given: Any, **named: Any) -> Any:
    return "theirs", len(given), sorted(named)


@pytest.mark.parametrize("around", [nullcontext, partial(torch.device, "cpu")])
def test_a_tensor_that_handles_a_loss_itself_is_told_the_function_as_it_was(
    offline: Any, monkeypatch: pytest.MonkeyPatch, around: Callable[[], Any]
) -> None:
    monkeypatch.setitem(Tabled.table, functional.cross_entropy, handled)
    model, labels = nn.Linear(4, 3), torch.tensor([0, 2]).as_subclass(Tabled)
    bare = functional.cross_entropy(torch.randn(2, 3), labels)
    run = offline.init()
    run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
    with around():
        watched = functional.cross_entropy(torch.randn(2, 3), labels)
    run.finish()

    assert watched == bare
    assert bare[0] == "theirs"


class Plain(Tensor):
    """Does nothing otherwise."""


@pytest.mark.parametrize("kind", [Tensor, Plain])
@pytest.mark.parametrize("around", [nullcontext, partial(torch.device, "cpu")])
def test_a_loss_is_one_call_whatever_handles_its_tensors(
    offline: Any, around: Callable[[], Any], kind: type[Tensor]
) -> None:
    targets = torch.ones(6, 1).as_subclass(kind)
    with around():
        facts = one_step(offline, nn.Linear(5, 1), torch.randn(6, 5), targets, nn.BCEWithLogitsLoss())

    assert facts["loss_calls"] == 1


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_what_calls_a_loss_is_scripted_and_compiled_whole_as_ever(offline: Any) -> None:
    model = nn.Linear(4, 3)
    run = offline.init()
    run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
    logits, labels = torch.randn(8, 3), torch.randint(0, 3, (8,))

    class Criterion(nn.Module):
        def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
            return functional.cross_entropy(logits, labels)

    expected = functional.cross_entropy(logits, labels)
    explained = torch._dynamo.explain(Criterion())(logits, labels)
    assert torch.equal(torch.jit.script(Criterion())(logits, labels), expected)
    assert torch.equal(torch.compile(Criterion(), backend="eager", fullgraph=True)(logits, labels), expected)
    assert explained.graph_break_count == 0
    run.finish()


def modes(offline: Any, *, forget_train: bool, forget_eval: bool) -> dict[str, float]:
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(2):
        model.train(not forget_train)
        model(torch.randn(8, 4)).sum().backward()
        optimizer.step()
        model.train(forget_eval)
        with torch.no_grad():
            for _ in range(3):
                model(torch.randn(8, 4))
    model.train(not forget_train)
    model(torch.randn(8, 4)).sum().backward()
    optimizer.step()
    run.finish()
    names = ("trained_in_evaluation_mode", "validated_in_training_mode", "validated_in_evaluation_mode")
    return {name: offline.points(f"facts/{name}")[-1][1] for name in names}


@pytest.mark.parametrize(
    ("forget_train", "forget_eval", "expected"),
    [(False, False, (0, 0, 3)), (True, False, (1, 0, 3)), (False, True, (0, 3, 0))],
)
def test_passes_in_the_wrong_mode_are_counted(
    offline: Any, forget_train: bool, forget_eval: bool, expected: tuple[float, float, float]
) -> None:
    assert tuple(modes(offline, forget_train=forget_train, forget_eval=forget_eval).values()) == expected


def introduced(offline: Any, model: nn.Module) -> dict[str, LayerInfo]:
    run = offline.init()
    run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
    run.finish()
    (payload,) = [record.payload for record in offline.records if record.kind == "model"]
    return {layer.name: layer for layer in coding.decode(payload, ModelInfo).layers}


def test_layers_declare_their_numbers_and_the_weights_that_they_begin_with(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.3), nn.BatchNorm1d(5, momentum=0.2), nn.Linear(5, 2))
    nn.init.constant_(model[3].weight, 0.05)
    found = introduced(offline, model)

    assert found["1"].settings == {"p": pytest.approx(0.3)}
    assert found["2"].settings == {"eps": 1e-5, "momentum": 0.2, "num_features": 5}
    first, last = found["0"].initial, found["3"].initial
    assert first is not None
    assert last is not None
    assert first.std == pytest.approx(float(model[0].weight.detach().std(correction=0)))
    assert (first.fan_in, first.equal_rows) == (6, False)
    assert (last.std, last.largest, last.fan_in, last.equal_rows) == (0.0, pytest.approx(0.05), 5, True)


def test_layers_declare_how_their_largest_parameter_is_kept(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2, dtype=torch.bfloat16))
    model[0].bias = nn.Parameter(model[0].bias.detach().half())
    found = introduced(offline, model)

    assert [found[name].dtype for name in ("0", "1", "2")] == ["float32", "", "bfloat16"]


@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.parametrize(("divided_by", "weight"), [(1, 1.0), (4, 0.25)])
def test_with_what_weight_a_loss_goes_into_the_gradient_is_told(
    offline: Any, divided_by: int, weight: float, scale: float
) -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, enabled=scale > 1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    for _ in range(3):
        optimizer.zero_grad()
        for _ in range(4):
            loss = functional.cross_entropy(model(torch.randn(8, 3)), torch.randint(0, 2, (8,)))
            scaler.scale(loss / divided_by).backward()
        scaler.step(optimizer)
        scaler.update()
    run.finish()

    assert [value for _, value in offline.points("facts/loss_weight")] == pytest.approx([weight] * 3)
    assert [value for _, value in offline.points("facts/loss_passes")] == [4.0] * 3


def test_losses_that_one_pass_takes_together_are_no_passes_of_their_own(offline: Any) -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    answers = model(torch.randn(8, 3))
    (functional.mse_loss(answers, torch.zeros(8, 2)) + functional.l1_loss(answers, torch.ones(8, 2))).backward()
    optimizer.step()
    run.finish()

    assert [offline.points(f"facts/loss_{name}")[0][1] for name in ("weight", "passes", "calls")] == [1.0, 1.0, 2.0]
