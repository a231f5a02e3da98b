"""Sick trainings: check → what it has to name → the arguments of preflight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.sdk.healthy_cases import Arguments, classifier, convolutional, lstm, regression
from tests.sdk.healthy_models import Stateful
from tests.sdk.small_models import Through
from trainvitals.preflight.catalogue import all_checks


def of(model: nn.Module, *, loss_fn: Any = None, batch: Any = None, rate: float = 3e-3, **more: Any) -> Arguments:
    """The healthy classification with another model."""
    changed = {"loss_fn": loss_fn, "batch": batch}
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    healthy = {**classifier(), "num_classes": None, "optimizer": optimizer}
    return {**healthy, **{k: v for k, v in changed.items() if v is not None}, "model": model, **more}


def layers(*between: nn.Module, width: int = 32) -> nn.Sequential:
    return nn.Sequential(nn.Linear(12, width), *between, nn.Linear(width, 5))


ILLS: dict[str, dict[str, Callable[[], Arguments]]] = {name: {} for name in [check.name for check in all_checks()]}


def ill(check: str) -> Callable[[Callable[[], Arguments]], Callable[[], Arguments]]:
    def keep(make: Callable[[], Arguments]) -> Callable[[], Arguments]:
        ILLS[check][make.__name__] = make
        return make

    return keep


@ill("overfit_one_batch")
def dead_units() -> Arguments:
    model = layers(nn.ReLU())
    nn.init.constant_(model[0].bias, -1e4)
    nn.init.zeros_(model[2].bias).requires_grad_(False)
    return of(model)


@ill("overfit_one_batch")
@ill("detached_graph")
def cut_before_the_loss() -> Arguments:
    model = layers(nn.ReLU())
    spare = torch.zeros(1, requires_grad=True)
    return of(model, loss_fn=lambda output, labels: F.cross_entropy(output.detach(), labels) + spare.sum())


@ill("detached_graph")
def output_without_a_graph() -> Arguments:
    return of(layers(nn.ReLU(), Through(torch.Tensor.detach), width=32).append(Through(torch.Tensor.detach)))


@ill("detached_graph")
def state_that_is_not_detached() -> Arguments:
    return of(Stateful(detaches=False))


@ill("simple_baseline")
@ill("input_used")
def input_that_dies_on_the_way() -> Arguments:
    return of(layers(nn.ReLU(), Through(lambda hidden: hidden * 0)))


@ill("learning_rate_range")
def rate_far_too_high() -> Arguments:
    arguments = classifier()
    return {**arguments, "optimizer": torch.optim.SGD(arguments["model"].parameters(), lr=100.0)}


@ill("learning_rate_range")
def rate_at_which_the_loss_stays_at_chance() -> Arguments:
    arguments = classifier()
    return {**arguments, "optimizer": torch.optim.SGD(arguments["model"].parameters(), lr=10.0)}


@ill("learning_rate_range")
def regression_that_explodes() -> Arguments:
    arguments = regression()
    return {**arguments, "optimizer": torch.optim.SGD(arguments["model"].parameters(), lr=30.0)}


@ill("input_scale")
@ill("initial_loss")
def images_from_0_to_255() -> Arguments:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (40, 64)).float()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return of(model, batch=(images, torch.arange(40) % 10))


@ill("input_scale")
def units_that_saturate() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(layers(nn.Sigmoid()), batch=(inputs * 1000, labels))


@ill("input_scale")
def nan_in_the_inputs() -> Arguments:
    inputs, labels = classifier()["batch"]
    inputs[3, 2] = torch.nan
    return of(layers(nn.ReLU()), batch=(inputs, labels))


@ill("input_scale")
def one_sample_over_and_over() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(layers(nn.ReLU()), batch=(inputs[:1].expand(48, -1), labels))


@ill("label_balance")
def data_that_are_not_shuffled() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(layers(nn.ReLU()), batch=(inputs, torch.full_like(labels, 3)))


@ill("label_range")
def labels_from_one() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(layers(nn.ReLU()), batch=(inputs, labels + 1))


@ill("label_range")
def labels_of_another_data_set() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(nn.Sequential(nn.Linear(12, 8)), batch=(inputs, labels), num_classes=3)


@ill("label_range")
def binary_labels_of_0_and_255() -> Arguments:
    inputs, labels = classifier()["batch"]
    model = nn.Sequential(nn.Linear(12, 1), nn.Flatten(0))
    return of(model, loss_fn=nn.BCEWithLogitsLoss(), batch=(inputs, (labels % 2) * 255.0))


@ill("label_range")
def shapes_that_broadcast() -> Arguments:
    arguments = regression()
    model = arguments["model"][:-1]
    return {**arguments, "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


@ill("label_range")
def shapes_that_broadcast_without_a_warning() -> Arguments:
    return {**shapes_that_broadcast(), "loss_fn": lambda output, targets: (output - targets).square().mean()}


@ill("label_range")
def targets_out_of_reach_of_a_sigmoid() -> Arguments:
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid(), nn.Flatten(0))
    return {**regression(), "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


@ill("initial_loss")
def confident_wrong_answers() -> Arguments:
    model = layers(nn.ReLU())
    nn.init.normal_(model[2].weight, std=5.0)
    return of(model)


@ill("softmax_before_loss")
def softmax_twice() -> Arguments:
    return of(layers(nn.ReLU()).append(nn.Softmax(dim=-1)))


@ill("softmax_before_loss")
def softmax_twice_in_functions() -> Arguments:
    model = layers(nn.ReLU()).append(Through(lambda logits: logits.softmax(1)))
    return of(model, loss_fn=lambda output, labels: F.cross_entropy(output, labels))


@ill("softmax_before_loss")
def softmax_over_the_batch() -> Arguments:
    return of(layers(nn.ReLU()).append(nn.Softmax(dim=0)))


@ill("softmax_before_loss")
def nll_of_logits() -> Arguments:
    return of(layers(nn.ReLU()), loss_fn=nn.NLLLoss())


@ill("softmax_before_loss")
def sigmoid_twice() -> Arguments:
    inputs, labels = classifier()["batch"]
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid(), nn.Flatten(0))
    return of(model, loss_fn=F.binary_cross_entropy_with_logits, batch=(inputs, (labels % 2).float()))


@ill("regularisation")
def weight_decay_beyond_reason() -> Arguments:
    arguments = classifier()
    optimizer = torch.optim.SGD(arguments["model"].parameters(), lr=0.01, weight_decay=50.0)
    return {**arguments, "optimizer": optimizer}


@ill("regularisation")
def penalty_beyond_reason() -> Arguments:
    arguments = classifier()
    model = arguments["model"]

    def loss(output: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(output, labels) + 30 * sum(part.square().sum() for part in model.parameters())

    return {**arguments, "loss_fn": loss}


@ill("batch_mixing")
def view_for_transpose() -> Arguments:
    return of(layers(Through(lambda hidden: hidden.view(32, -1).T), nn.ReLU()))


@ill("batch_mixing")
def mean_over_the_batch() -> Arguments:
    return of(layers(Through(lambda hidden: hidden - hidden.mean(0)), nn.ReLU()))


class TimeForBatch(nn.Module):
    """An LSTM without batch_first that gets samples first."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(6, 16), nn.Linear(16, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.rnn(inputs)[0][:, -1])


@ill("batch_mixing")
def samples_taken_for_time() -> Arguments:
    torch.manual_seed(0)
    return of(TimeForBatch(), batch=(torch.randn(24, 7, 6), torch.arange(24) % 3))


@ill("batch_norm_size")
def batch_norm_of_four() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(layers(nn.BatchNorm1d(32), nn.ReLU()), batch=(inputs[:4], labels[:4]))


@ill("batch_norm_size")
def batch_norm_of_one() -> Arguments:
    inputs, labels = classifier()["batch"]
    return of(layers(nn.BatchNorm1d(32), nn.ReLU()), batch=(inputs[:1], labels[:1]))


@ill("dropout_before_batch_norm")
def dropout_before_batch_norm() -> Arguments:
    return of(layers(nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU()))


class WrongByTwo(torch.autograd.Function):
    """A square whose author forgot the two."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return values.square()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]  # one gradient for one input
        return grad * ctx.saved_tensors[0]


@ill("gradient_check")
def backward_without_the_two() -> Arguments:
    return of(layers(Through(WrongByTwo.apply)))


@ill("optimizer_parameters")
def head_that_came_after_the_optimizer() -> Arguments:
    arguments = classifier()
    arguments["model"][2] = nn.Linear(32, 5)
    return arguments


@ill("optimizer_parameters")
def layer_left_out() -> Arguments:
    model = layers(nn.ReLU())
    return of(model, optimizer=torch.optim.Adam(model[0].parameters()))


@ill("optimizer_parameters")
def optimizer_of_another_model() -> Arguments:
    return of(layers(nn.ReLU()), optimizer=torch.optim.Adam(layers().parameters()))


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts, self.head = [nn.Linear(12, 32) for _ in range(2)], nn.Linear(32, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(sum(part(inputs) for part in self.parts).relu())


@ill("optimizer_parameters")
def layers_in_a_plain_list() -> Arguments:
    return of(Listed())


class Forgetful(nn.Module):
    def __init__(self, *, calls: bool) -> None:
        super().__init__()
        self.first, self.extra, self.last = nn.Linear(12, 32), nn.Linear(32, 32), nn.Linear(32, 5)
        self.calls = calls

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs).relu()
        return self.last(hidden + self.extra(hidden).detach() if self.calls else hidden)


@ill("parameters_without_gradient")
def layer_that_is_never_called() -> Arguments:
    return of(Forgetful(calls=False))


@ill("parameters_without_gradient")
def layer_behind_a_detach() -> Arguments:
    return of(Forgetful(calls=True))


@ill("training_mode")
def lstm_with_dropout_left_in_eval_mode() -> Arguments:
    class Last(nn.LSTM):
        def forward(self, inputs: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(inputs)[0][:, -1]

    arguments = lstm()
    model = Last(6, 3, num_layers=2, dropout=0.5, batch_first=True).eval()
    return {**arguments, "model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}


@ill("training_mode")
def left_in_eval_mode() -> Arguments:
    arguments = convolutional()
    arguments["model"].eval()
    return arguments
