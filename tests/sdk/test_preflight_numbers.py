"""The numbers that a preflight tells, each computed a second way."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.sdk.healthy_cases import Arguments, classifier, regression
from tests.sdk.ill_cases import layers, of
from tests.sdk.small_models import Through
from trainvitals.preflight.catalogue import all_checks
from trainvitals.preflight.running import run_preflight

pytestmark = pytest.mark.usefixtures("one_thread")

CLOSE = 1e-4


def numbers_of(check: str, arguments: Arguments) -> dict[str, Any]:
    """What one check tells."""
    only = [one for one in all_checks() if one.name == check]
    return run_preflight(**arguments, seconds=60, checks=only)[check].numbers


def uneven() -> Arguments:
    """48 labels, of which 24, 12, 6, 4 and 2 are of a class."""
    inputs, _ = classifier()["batch"]
    labels = torch.repeat_interleave(torch.arange(5), torch.tensor([24, 12, 6, 4, 2]))
    return {**classifier(), "batch": (inputs, labels[torch.randperm(48, generator=torch.Generator().manual_seed(0))])}


def entropy(counts: list[int]) -> float:
    return -sum(count / sum(counts) * math.log(count / sum(counts)) for count in counts)


def losses_of(
    arguments: Arguments, *, steps: int, change: Callable[[int, Any], None] = lambda step, optimizer: None
) -> list[float]:
    """Before each step of a plain training on the batch, of copies."""
    model, optimizer = copy.deepcopy((arguments["model"], arguments["optimizer"]))
    inputs, targets = arguments["batch"]
    losses = []
    for step in range(steps):
        change(step, optimizer)
        optimizer.zero_grad()
        loss = arguments["loss_fn"](model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def norm_of(loss: Tensor, model: nn.Module) -> float:
    return math.sqrt(sum(float(part.square().sum()) for part in torch.autograd.grad(loss, list(model.parameters()))))


class TestInitialLoss:
    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_of_classes_chance_is_ln_c_and_the_prior_s_the_entropy_of_the_labels(self, reduction: str) -> None:
        arguments = {**uneven(), "loss_fn": nn.CrossEntropyLoss(reduction=reduction)}
        inputs, labels = arguments["batch"]
        with torch.no_grad():
            logits = arguments["model"](inputs).double().numpy()
        of_rows = np.log(np.exp(logits).sum(1)) - logits[np.arange(48), labels.numpy()]
        rows = 48 if reduction == "sum" else 1
        assert numbers_of("initial_loss", arguments) == pytest.approx(
            {
                "loss": of_rows.mean() * rows, "chance": math.log(5) * rows,
                "class prior": entropy([24, 12, 6, 4, 2]) * rows, "classes": 5,
            },
            rel=CLOSE,
        )  # fmt: skip

    def test_of_two_classes_too(self) -> None:
        inputs, labels = uneven()["batch"]
        model = nn.Sequential(nn.Linear(12, 1), nn.Flatten(0))
        batch = inputs, (labels == 1).float()
        numbers = numbers_of("initial_loss", of(model, loss_fn=nn.BCEWithLogitsLoss(), batch=batch))
        assert numbers["chance"] == pytest.approx(math.log(2), rel=CLOSE)
        assert numbers["class prior"] == pytest.approx(entropy([12, 36]), rel=CLOSE)

    def test_weights_of_classes_and_smoothing_are_part_of_chance(self) -> None:
        loss_fn = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 3, 4, 5]), label_smoothing=0.2)
        arguments = {**uneven(), "loss_fn": loss_fn}
        chance = loss_fn(torch.zeros(48, 5), arguments["batch"][1]).item()
        assert numbers_of("initial_loss", arguments)["chance"] == pytest.approx(chance, rel=CLOSE)

    @pytest.mark.parametrize(
        ("loss_fn", "best"),
        [
            (nn.MSELoss(), lambda targets: targets.var()),
            (nn.L1Loss(), lambda targets: np.abs(targets - np.median(targets)).mean()),
        ],
    )
    def test_of_numbers_the_best_constant_is_mean_or_median(self, loss_fn: nn.Module, best: Any) -> None:
        arguments = {**regression(), "loss_fn": loss_fn}
        _, targets = arguments["batch"]
        numbers = numbers_of("initial_loss", arguments)
        assert numbers["best constant"] == pytest.approx(best(targets.double().numpy()), rel=1e-2)


def test_label_balance_is_that_of_the_counts() -> None:
    counts = [24, 12, 6, 4, 2]
    assert numbers_of("label_balance", uneven()) == pytest.approx(
        {"labels": 48, "classes seen": 5, "share of the largest": 0.5, "evenness": entropy(counts) / math.log(5)},
        rel=CLOSE,
    )


@pytest.mark.parametrize("drop", [0.1, 0.3, 0.5])
def test_the_shift_of_variance_is_that_of_theory(drop: float) -> None:
    """Of values x with masks of their own: the variance of x, and p / (1 - p) of the mean of x²."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(drop), nn.BatchNorm1d(16), nn.Linear(16, 5))
    inputs = torch.randn(4096, 12)
    hidden = model[:2](inputs).detach().double().numpy()
    shifts = 1 + drop / (1 - drop) * np.square(hidden).mean(0) / hidden.var(0)
    numbers = numbers_of("dropout_before_batch_norm", of(model, batch=(inputs, torch.arange(4096) % 5)))
    assert numbers["variance in training / in evaluation"] == pytest.approx(np.median(shifts), rel=0.03)


def test_how_far_a_sample_moves_with_the_others_is_that_of_arithmetic() -> None:
    share = 0.2
    model = nn.Sequential(nn.Linear(12, 5), Through(lambda rows: rows + share * rows.mean(0)))
    inputs, labels = classifier()["batch"]
    rows = model[0](inputs[:8]).detach().double().numpy()
    output = rows + share * rows.mean(0)
    copies = [np.tile(rows[place] * (1 + share), (8, 1)) for place in (0, 7)]  # all others like the first, or the last
    moves = [np.abs(output - copied).max(1) for copied in copies]
    expected = max(moves[0][0], moves[1][7]) / max(output.std(ddof=1), *(one.max() for one in moves))
    numbers = numbers_of("batch_mixing", of(model, batch=(inputs, labels)))
    assert numbers["change of a sample's output, in spreads"] == pytest.approx(expected, rel=1e-3)


class Overstated(torch.autograd.Function):
    """Its backward is a twentieth too large."""

    @staticmethod
    def forward(context: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return 1.05 * gradients[0]


class TestGradientCheck:
    def test_the_error_of_a_wrong_backward_is_told_as_large_as_it_is(self) -> None:
        torch.manual_seed(0)
        model = layers(nn.Tanh(), Through(Overstated.apply))
        numbers = numbers_of("gradient_check", of(model))
        inputs, labels = of(model)["batch"]
        right = copy.deepcopy(nn.Sequential(model[0], model[1], model[3])).double().eval()
        loss = F.cross_entropy(right(inputs[:4].double()), labels[:4])
        name = {"0": "0", "3": "2"}[numbers["in"][0]] + numbers["in"][1:]
        (gradient,) = torch.autograd.grad(loss, [right.get_parameter(name)])
        assert numbers["largest relative error"] == pytest.approx(0.05 / 1.05, rel=1e-3)
        assert numbers["gradient"] == pytest.approx(1.05 * numbers["slope"], rel=1e-3)
        assert (gradient - numbers["slope"]).abs().min() < 1e-5 * abs(numbers["slope"])

    def test_that_of_a_right_one_is_none(self) -> None:
        torch.manual_seed(0)
        numbers = numbers_of("gradient_check", of(layers(nn.Tanh())))
        assert numbers["entries"] >= 8
        assert numbers["largest relative error"] < 1e-6


class TestRegularisation:
    def pulls(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[float, float]:
        """Of the data, the larger of those of the whole batch and of its first four; and the norm of the weights."""
        inputs, labels = batch
        data = max(norm_of(F.cross_entropy(model(inputs[:few]), labels[:few]), model) for few in (48, 4))
        return data, math.sqrt(sum(float(part.detach().square().sum()) for part in model.parameters()))

    def test_a_penalty_and_coupled_decay_pull_by_the_weights(self) -> None:
        torch.manual_seed(0)
        model = layers(nn.Tanh())

        def loss_fn(output: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(output, labels) + 0.003 * sum(part.square().sum() for part in model.parameters())

        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.02)
        arguments = of(model, loss_fn=loss_fn, optimizer=optimizer)
        data, norm = self.pulls(model, arguments["batch"])
        assert numbers_of("regularisation", arguments) == pytest.approx(
            {
                "gradient of the data": data, "gradient of the penalty": 2 * 0.003 * norm,
                "weight decay": 0.02 * norm, "decay in parts of a step": 0.0,
                "pull / data": (2 * 0.003 + 0.02) * norm / data,
            },
            rel=1e-3,
        )  # fmt: skip

    def test_decoupled_decay_is_told_in_parts_of_a_step(self) -> None:
        torch.manual_seed(0)
        model = layers(nn.Tanh())
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
        values = torch.cat([part.detach().flatten() for part in model.parameters()])
        numbers = numbers_of("regularisation", of(model, optimizer=optimizer))
        assert numbers["decay in parts of a step"] == pytest.approx(
            0.5 * float(values.square().mean().sqrt()), rel=CLOSE
        )
        assert numbers["pull / data"] == numbers["decay in parts of a step"]


class TestLearningRateRange:
    def test_the_loss_after_thirty_steps_is_that_of_a_plain_training(self) -> None:
        arguments = classifier()
        numbers = numbers_of("learning_rate_range", arguments)
        assert numbers["chosen"] == pytest.approx(3e-3)
        assert numbers["loss after 30 steps at it"] == pytest.approx(
            min(losses_of(arguments, steps=30)[-10:]), rel=CLOSE
        )

    @pytest.mark.parametrize("leaves", [False, True])
    def test_the_rate_at_which_the_loss_falls_fastest_is_found_by_a_plain_training(self, *, leaves: bool) -> None:
        arguments = regression() if leaves else classifier()
        if leaves:
            arguments["optimizer"] = torch.optim.SGD(arguments["model"].parameters(), lr=0.01)
        rates = np.geomspace(1e-6, 10, 60)

        def raised(step: int, optimizer: torch.optim.Optimizer) -> None:
            optimizer.param_groups[0]["lr"] = rates[step]

        losses = losses_of(arguments, steps=60, change=raised)
        smooth = [losses[0]]
        while len(smooth) < len(losses) and smooth[-1] <= 4 * smooth[0]:
            smooth.append(0.7 * smooth[-1] + 0.3 * losses[len(smooth)])
        numbers = numbers_of("learning_rate_range", arguments)
        assert numbers["steps"] == len(smooth)
        assert numbers["falls fastest at"] == pytest.approx(rates[np.argmin(np.diff(smooth))], rel=CLOSE)
        assert numbers.get("leaves at") == (pytest.approx(rates[len(smooth) - 1], rel=CLOSE) if leaves else None)


class TestSimpleBaseline:
    def test_of_numbers_it_is_that_of_least_squares(self) -> None:
        torch.manual_seed(0)
        inputs = torch.randn(200, 5) * torch.tensor([1, 10, 0.1, 3, 1]) + 4
        targets = inputs @ torch.tensor([1.0, 0.2, 5, -1, 0]) + torch.randn(200)
        arguments = {**regression(), "batch": (inputs, targets - targets.mean())}
        columns = np.c_[inputs.double().numpy(), np.ones(200)]
        wanted = (targets - targets.mean()).double().numpy()
        left = wanted - columns @ np.linalg.lstsq(columns[:100], wanted[:100], rcond=None)[0]
        numbers = numbers_of("simple_baseline", arguments)
        assert numbers["constant answer, loss"] == pytest.approx(wanted[:100].var(), rel=CLOSE)
        assert numbers["linear model, loss"] == pytest.approx(np.square(left[:100]).mean(), rel=0.02)
        assert numbers["linear model, R² on the other half"] == pytest.approx(
            1 - np.square(left[100:]).mean() / wanted[100:].var(), abs=0.02
        )

    def test_of_classes_the_constant_is_the_majority_s(self) -> None:
        arguments = uneven()
        _, labels = arguments["batch"]
        counts = torch.bincount(labels[:24], minlength=5).tolist()
        numbers = numbers_of("simple_baseline", arguments)
        share = float((labels[24:] == int(np.argmax(counts))).float().mean())
        assert numbers["constant answer, accuracy"] == pytest.approx(share)
        assert numbers["constant answer, loss"] == pytest.approx(entropy([one for one in counts if one]), rel=CLOSE)

    def test_the_network_s_loss_is_that_of_a_plain_training(self) -> None:
        arguments = classifier()
        inputs, labels = arguments["batch"]
        losses = losses_of({**arguments, "batch": (inputs[:24], labels[:24])}, steps=200)
        done = next(step for step, loss in enumerate(losses) if loss <= 0.1 * losses[0])
        numbers = numbers_of("simple_baseline", arguments)
        assert numbers["this network, loss"] == pytest.approx(min(losses[: done + 1]), rel=CLOSE)


def test_overfitting_is_that_of_a_plain_training_on_eight_samples() -> None:
    arguments = classifier()
    inputs, labels = arguments["batch"]
    losses = losses_of({**arguments, "batch": (inputs[:8], labels[:8])}, steps=1000)
    done = next(step for step, loss in enumerate(losses) if loss <= 0.1 * losses[0])
    numbers = numbers_of("overfit_one_batch", arguments)
    assert numbers["by"] == "your Adam"
    assert numbers["first loss"] == pytest.approx(losses[0], rel=CLOSE)
    assert numbers["lowest loss"] == pytest.approx(losses[done], rel=CLOSE)


def test_what_zeroed_inputs_cost_is_that_of_a_plain_training() -> None:
    arguments = classifier()
    inputs, labels = (part[:32] for part in arguments["batch"])
    model, optimizer = copy.deepcopy((arguments["model"], arguments["optimizer"]))
    losses = []
    while len(losses) < 100 and not (losses and losses[-1] <= 0.1 * losses[0]):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    numbers = numbers_of("input_used", arguments)
    zeroed = losses_of({**arguments, "batch": (torch.zeros_like(inputs), labels)}, steps=len(losses))
    assert numbers["first loss"] == pytest.approx(losses[0], rel=CLOSE)
    assert numbers["loss with inputs"] == pytest.approx(F.cross_entropy(model(inputs), labels).item(), rel=CLOSE)
    assert numbers["loss without"] == pytest.approx(F.cross_entropy(model(inputs * 0), labels).item(), rel=CLOSE)
    assert numbers["loss when trained on zeros"] == pytest.approx(min(zeroed), rel=0.01)


def test_sizes_and_spreads_of_inputs_are_those_of_the_batch() -> None:
    inputs, labels = classifier()["batch"]
    scaled = inputs * torch.linspace(0.1, 5, 12)
    columns = scaled.double().numpy()
    assert numbers_of("input_scale", of(layers(nn.ReLU()), batch=(scaled, labels))) == pytest.approx(
        {
            "root mean square": np.sqrt(np.square(columns).mean()),
            "largest / smallest spread": columns.std(0).max() / columns.std(0).min(),
        },
        rel=CLOSE,
    )


def test_the_gradient_s_norm_is_autograd_s() -> None:
    arguments = classifier()
    inputs, labels = arguments["batch"]
    norm = norm_of(F.cross_entropy(arguments["model"](inputs), labels), arguments["model"])
    numbers = numbers_of("detached_graph", arguments)
    assert numbers == pytest.approx({"gradient norm": norm, "tensors reached": 4}, rel=CLOSE)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_softmax_twice_keeps_the_loss_above_what_one_hot_probabilities_have(classes: int) -> None:
    inputs, _ = classifier()["batch"]
    labels = torch.arange(48) % classes
    model = nn.Sequential(nn.Linear(12, classes), nn.Softmax(-1))
    numbers = numbers_of("softmax_before_loss", of(model, batch=(inputs, labels)))
    best = F.cross_entropy(F.one_hot(labels, classes).double(), labels).item()
    assert numbers["lowest loss possible"] == pytest.approx(best, rel=CLOSE)
    assert numbers["smallest output"] == pytest.approx(model(inputs).min().item(), rel=CLOSE)


def test_values_of_a_batch_norm_are_counted_over_samples_and_places() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 6 * 4, 7), nn.BatchNorm1d(7)
    )
    batch = torch.randn(16, 3, 8, 6), torch.arange(16) % 7
    assert numbers_of("batch_norm_size", of(model, batch=batch)) == {
        "fewest values per channel": 16, "batch norm layers": 2,
    }  # fmt: skip


def test_the_share_without_a_gradient_is_that_of_all_values() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(12, 5), nn.Linear(30, 10)

        def forward(self, inputs: Tensor) -> Tensor:
            return torch.as_tensor(self.used(inputs))

    numbers = numbers_of("parameters_without_gradient", of(Idle()))
    assert numbers == pytest.approx({"tensors without gradient": 2, "share of all values": 310 / 375})


def test_a_rate_far_above_the_one_that_is_proposed_has_not_passed() -> None:
    arguments = classifier()
    parameters = list(arguments["model"].parameters())
    proposed = numbers_of("learning_rate_range", arguments | {"optimizer": torch.optim.Adam(parameters, lr=1e-3)})
    hot = torch.optim.Adam(parameters, lr=40 * proposed["falls fastest at"])
    report = run_preflight(**(arguments | {"optimizer": hot}), seconds=30)

    assert [check.status for check in report.checks if check.name == "learning_rate_range"] != ["passed"]
