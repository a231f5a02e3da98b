"""Every check of the preflight names its ill, and is quiet about the healthy twin that looks like it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.sdk.healthy_cases import Arguments, classifier, convolutional
from tests.sdk.ill_cases import ILLS, layers, of, softmax_twice
from tests.sdk.odd_cases import domain_adversarial, experts, stateful
from trainvitals.preflight.catalogue import all_checks
from trainvitals.preflight.running import run_preflight
from trainvitals.wire.preflight import PreflightCheck

pytestmark = pytest.mark.usefixtures("one_thread")


def looked_at(check: str, arguments: Arguments) -> PreflightCheck:
    """What one check says."""
    torch.manual_seed(1)
    only = [one for one in all_checks() if one.name == check]
    return run_preflight(**arguments, seconds=30, checks=only)[check]


CASES = [(check, name, make) for check, cases in ILLS.items() for name, make in cases.items()]


@pytest.mark.parametrize(("check", "name", "make"), CASES, ids=[f"{check}-{name}" for check, name, _ in CASES])
def test_names_the_ill(check: str, name: str, make: Callable[[], Arguments]) -> None:
    found = looked_at(check, make())

    assert found.status == "failed", found
    assert found.advice or "NaN" in found.summary


def test_every_check_has_an_ill() -> None:
    assert [check for check, cases in ILLS.items() if not cases] == []


class Teacher(nn.Module):
    """Held in a list on purpose: it teaches, and does not learn."""

    def __init__(self) -> None:
        super().__init__()
        self.teachers, self.student = [nn.Linear(12, 5)], layers(nn.ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            taught = self.teachers[0](inputs)
        return self.student(inputs) + 0 * taught


class Pooled(nn.Module):
    """As a pre-trained model brings one: a small part that this task does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.pooler = layers(nn.ReLU(), width=64), nn.Linear(4, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs)


def log_softmax_before_cross_entropy() -> Arguments:
    return of(layers(nn.ReLU()).append(nn.LogSoftmax(dim=-1)))


def probabilities_into_a_loss_for_probabilities() -> Arguments:
    model = layers(nn.ReLU()).append(nn.Softmax(dim=-1))
    return of(model, loss_fn=lambda said, labels: F.nll_loss(said.log(), labels))


def softmax_before_squared_errors() -> Arguments:
    inputs, labels = classifier()["batch"]
    model = layers(nn.ReLU()).append(nn.Softmax(dim=-1))
    return of(model, loss_fn=nn.MSELoss(), batch=(inputs, F.one_hot(labels, 5).float()))


def batch_norm_over_pixels() -> Arguments:
    arguments = convolutional()
    images, labels = arguments["batch"]
    return {**arguments, "batch": (images[:2], labels[:2])}


def batch_norm_before_dropout() -> Arguments:
    return of(layers(nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5)))


def no_dropout_or_norm_to_be_in_a_mode() -> Arguments:
    arguments = classifier()
    arguments["model"].eval()
    return arguments


def frozen_batch_norm() -> Arguments:
    arguments = convolutional()
    arguments["model"][1].eval()
    return arguments


def two_optimizers() -> Arguments:
    model = layers(nn.ReLU())
    return of(
        model, optimizer=[torch.optim.Adam(model[0].parameters()), torch.optim.SGD(model[2].parameters(), lr=0.1)]
    )


def first_layer_normalises() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(nn.Sequential(nn.BatchNorm1d(12), *layers(nn.ReLU())), batch=(inputs * 1000, labels))


class FromBytes(nn.Module):
    """Pictures as files have them, and truths, to numbers."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.float() if inputs.dtype == torch.bool else inputs.float() / 32 - 4


def bytes_alone() -> Arguments:
    inputs, labels = classifier()["batch"]
    pictures = (inputs * 32 + 128).clamp(0, 255).to(torch.uint8)
    return of(nn.Sequential(FromBytes(), *layers(nn.ReLU())), batch=(pictures, labels))


class OfMapping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(FromBytes(), *layers(nn.ReLU()))

    def forward(self, pixels: Tensor, lengths: Tensor) -> Tensor:
        return self.body(pixels)


def bytes_with_lengths() -> Arguments:
    arguments = bytes_alone()
    pictures, labels = arguments["batch"]
    batch = {"pixels": pictures, "lengths": torch.full((len(labels),), 12), "labels": labels}
    model = OfMapping()
    return {
        **of(model, batch=batch, loss_fn=lambda said, given: F.cross_entropy(said, given["labels"])),
        "forward": lambda own, given: F.cross_entropy(own(given["pixels"], given["lengths"]), given["labels"]),
    }


def truths_alone() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(nn.Sequential(FromBytes(), *layers(nn.ReLU())), batch=(inputs > 0, labels))


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    each = F.cross_entropy(logits, labels, reduction="none")
    return ((1 - (-each).exp()).square() * each).mean()


def own_forward() -> Arguments:
    return {
        **classifier(),
        "loss_fn": None,
        "forward": lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]),
    }


TRAPS: list[tuple[str, Callable[[], Arguments], str]] = [
    ("optimizer_parameters", lambda: of(Teacher()), "passed"),
    ("optimizer_parameters", two_optimizers, "passed"),
    ("optimizer_parameters", lambda: {**classifier(), "optimizer": None}, "unknown"),
    ("parameters_without_gradient", lambda: of(Pooled()), "unknown"),
    ("parameters_without_gradient", experts, "unknown"),
    ("softmax_before_loss", log_softmax_before_cross_entropy, "passed"),
    ("softmax_before_loss", probabilities_into_a_loss_for_probabilities, "unknown"),
    ("softmax_before_loss", softmax_before_squared_errors, "passed"),
    ("batch_norm_size", batch_norm_over_pixels, "passed"),
    ("dropout_before_batch_norm", batch_norm_before_dropout, "passed"),
    ("training_mode", no_dropout_or_norm_to_be_in_a_mode, "passed"),
    ("training_mode", frozen_batch_norm, "passed"),
    ("input_scale", first_layer_normalises, "passed"),
    ("batch_mixing", stateful, "unknown"),
    ("gradient_check", domain_adversarial, "unknown"),
    ("detached_graph", stateful, "passed"),
    ("input_used", bytes_alone, "passed"),
    ("input_used", truths_alone, "passed"),
    ("input_used", bytes_with_lengths, "passed"),
    ("regularisation", own_forward, "unknown"),
    ("label_balance", lambda: {**classifier(), "loss_fn": focal}, "unknown"),
    ("label_range", lambda: {**classifier(), "loss_fn": focal, "num_classes": None}, "unknown"),
    ("label_range", lambda: {**classifier(), "loss_fn": focal}, "passed"),
    ("detached_graph", lambda: of(layers(nn.ReLU()).requires_grad_(False)), "unknown"),
]


@pytest.mark.parametrize(("check", "make", "status"), TRAPS, ids=[f"{trap[0]}-{n}" for n, trap in enumerate(TRAPS)])
def test_is_not_taken_in_by_its_trap(check: str, make: Callable[[], Arguments], status: str) -> None:
    assert looked_at(check, make()).status == status


def test_says_how_far_softmax_twice_holds_the_loss_up() -> None:
    check = looked_at("softmax_before_loss", softmax_twice())

    assert "cannot fall below 0.90" in check.summary
    assert check.advice == ["Let the model return logits: drop its last softmax."]


def test_an_error_that_stops_many_checks_is_told_once() -> None:
    def broken(logits: Tensor, labels: Tensor) -> Tensor:
        raise RuntimeError("no such label")

    found = run_preflight(layers(), broken, (torch.randn(8, 12), torch.zeros(8, dtype=torch.long)), seconds=30)
    stopped = [check.summary for check in found.checks if "could not be looked at" in check.summary]

    assert len(stopped) > 5
    assert sum("no such label" in summary for summary in stopped) == 1
