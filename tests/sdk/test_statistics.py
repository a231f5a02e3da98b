"""Each statistic, computed a second way in plain PyTorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.sdk.small_models import Through

APPROXIMATELY = 1e-4


def flat(tensors: Any) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def squashing() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 5), nn.Softmax(dim=-1)
    )


class Watched:
    """A few watched steps of a model, and what plain PyTorch says of the last: outputs, gradients, weights."""

    def __init__(self, offline: Any, model: nn.Module, optimizer: torch.optim.Optimizer, inputs: list[Tensor]) -> None:
        self.first = copy.deepcopy(model)
        self.model = model
        self.outputs: dict[str, Tensor] = {}
        run = offline.init()
        run.watch(model, optimizer, every=1)
        for batch in inputs:
            optimizer.zero_grad()
            self.before = copy.deepcopy(model)
            model(batch).square().sum().backward()
            optimizer.step()
        run.finish()
        self.stats = offline.stats(len(inputs) - 1)
        self.offline = offline

    def gradient(self, layer: str) -> Tensor:
        return flat(parameter.grad for parameter in self.model.get_submodule(layer).parameters())

    def weights(self, model: nn.Module, layer: str) -> Tensor:
        return flat(model.get_submodule(layer).parameters())


def six_batches(rows: int = 16) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(rows, 6) * 3 for _ in range(6)]  # the sixth step, at index 5, is looked at in depth


@pytest.fixture
def watched(offline: Any) -> Watched:
    model = squashing()
    return Watched(offline, model, torch.optim.Adam(model.parameters(), lr=0.01), six_batches())


@pytest.mark.parametrize("layer", ["0", "1", "3", "5"])
def test_gradients(watched: Watched, layer: str) -> None:
    gradient, stats = watched.gradient(layer), watched.stats
    assert stats["grad_norm"][layer] == pytest.approx(gradient.norm().item(), rel=APPROXIMATELY)
    assert stats["grad_max"][layer] == pytest.approx(gradient.abs().max().item(), rel=APPROXIMATELY)
    assert stats["grad_mean"][layer] == pytest.approx(gradient.mean().item(), rel=1e-3, abs=1e-9)
    assert stats["grad_zero_fraction"][layer] == pytest.approx((gradient == 0).float().mean().item())
    assert stats["grad_nonfinite"][layer] == 0


@pytest.mark.parametrize("layer", ["0", "1", "3", "5"])
def test_weights_and_updates(watched: Watched, layer: str) -> None:
    stats = watched.stats
    first, before, after = (watched.weights(model, layer) for model in (watched.first, watched.before, watched.model))
    moved = after - before
    assert stats["weight_norm"][layer] == pytest.approx(before.norm().item(), rel=APPROXIMATELY)
    assert stats["weight_max"][layer] == pytest.approx(before.abs().max().item(), rel=APPROXIMATELY)
    assert stats["update_ratio"][layer] == pytest.approx((moved.norm() / before.norm()).item(), rel=APPROXIMATELY)
    assert stats["update_rms"][layer] == pytest.approx(moved.square().mean().sqrt().item(), rel=APPROXIMATELY)
    assert stats["init_distance"][layer] == pytest.approx(
        ((before - first).norm() / first.norm()).item(), rel=APPROXIMATELY
    )
    assert stats["lost_update_fraction"][layer] == 0
    assert stats["unmoved_fraction"][layer] == pytest.approx((before == first).float().mean().item())


def test_outputs(watched: Watched) -> None:
    seen: dict[str, Tensor] = {}
    for name, module in watched.before.named_children():
        module.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output.detach().clone()}))
    watched.before(six_batches()[-1])
    for name, output in seen.items():
        stats = {stat: layers[name] for stat, layers in watched.stats.items()}
        assert stats["activation_mean"] == pytest.approx(output.mean().item(), rel=1e-3, abs=1e-6)
        assert stats["activation_std"] == pytest.approx(output.std(correction=0).item(), rel=APPROXIMATELY)
        assert stats["activation_max"] == pytest.approx(output.abs().max().item(), rel=APPROXIMATELY)
        assert stats["zero_fraction"] == pytest.approx((output == 0).float().mean().item(), abs=1e-6)
        assert stats["activation_nonfinite"] == 0
    saturated = watched.stats["saturated_fraction"]
    assert saturated["4"] == pytest.approx((seen["4"].abs() > 0.97).float().mean().item())
    assert saturated["6"] == pytest.approx((seen["6"].amax(dim=-1) > 0.97).float().mean().item())
    assert 0 < saturated["4"] < 1
    assert math.isnan(saturated["0"])


def test_units_are_dead_that_fire_for_no_example_of_several_batches(offline: Any) -> None:
    model = squashing()
    with torch.no_grad():
        model[1].bias[:3] = -100.0  # batch norm's outputs stay within a few units of this
    watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.0), six_batches())
    assert watched.stats["dead_fraction"]["2"] == pytest.approx(3 / 8)
    assert watched.stats["zero_fraction"]["2"] > 3 / 8
    assert math.isnan(watched.stats["dead_fraction"]["0"])


def test_a_unit_that_has_fired_long_ago_is_dead_when_the_window_has_passed(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
    at_first, later = torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, -1.0]])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    Watched(offline, model, optimizer, [at_first, *[later] * 20])  # every fifth snapshot ends a part of the window
    told = [offline.stats(step)["dead_fraction"]["1"] for step in (0, 5, 10, 15, 20)]
    assert told == [0, 0, 0, 0, 0.5]


SQUASHING = {  # a layer, and whether it is saturated by what goes into it
    "sigmoid": (nn.Sigmoid(), lambda inputs: inputs.abs() > math.log(0.985 / 0.015)),
    "tanh": (nn.Tanh(), lambda inputs: inputs.abs() > math.atanh(0.97)),
    "softsign": (nn.Softsign(), lambda inputs: inputs.abs() > 0.97 / 0.03),
    "hardtanh": (nn.Hardtanh(-2.0, 4.0), lambda inputs: (inputs <= -2) | (inputs >= 4)),
    "hardsigmoid": (nn.Hardsigmoid(), lambda inputs: inputs.abs() >= 3),
}


@pytest.mark.parametrize("name", SQUASHING)
def test_outputs_are_saturated_by_what_goes_into_a_layer(offline: Any, name: str) -> None:
    layer, is_saturated = SQUASHING[name]
    scale = nn.Linear(6, 6, bias=False)
    nn.init.eye_(scale.weight)
    batch = torch.randn(64, 6) * (30 if name == "softsign" else 4)
    model = nn.Sequential(scale, layer)
    watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.0), [batch])
    expected = is_saturated(batch).float().mean().item()
    assert 0.1 < expected < 0.9
    assert watched.stats["saturated_fraction"]["1"] == pytest.approx(expected)


def test_channels_of_a_convolution_are_its_units(offline: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2), nn.ReLU())
    with torch.no_grad():
        model[0].bias[0] = model[3].bias[1] = -100.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    watched = Watched(offline, model, optimizer, [torch.randn(8, 1, 4, 4) for _ in range(6)])
    assert watched.stats["dead_fraction"]["1"] == pytest.approx(1 / 4)
    assert watched.stats["dead_fraction"]["4"] >= 1 / 2


def test_second_moments_of_adam(watched: Watched) -> None:
    parameters = list(watched.model[3].parameters())
    optimizer = torch.optim.Adam(watched.model.parameters(), lr=0.01)  # the state is made anew below, from gradients
    replay = Watched.__new__(Watched)
    replay.model = copy.deepcopy(watched.first)
    optimizer = torch.optim.Adam(replay.model.parameters(), lr=0.01)
    for batch in six_batches():
        optimizer.zero_grad()
        replay.model(batch).square().sum().backward()
        optimizer.step()
    state = [optimizer.state[parameter] for parameter in replay.model[3].parameters()]
    second = flat(one["exp_avg_sq"] / (1 - 0.999**6) for one in state)
    gradient = flat(parameter.grad for parameter in parameters)
    assert watched.stats["second_moment_rms"]["3"] == pytest.approx(second.mean().sqrt().item(), rel=1e-3)
    assert watched.stats["adam_rms"]["3"] == pytest.approx((gradient.square() / second).mean().sqrt().item(), rel=1e-3)
    assert watched.stats["epsilon_fraction"]["3"] == pytest.approx((second.sqrt() < 1e-8).float().mean().item())


def test_running_statistics_drift(watched: Watched) -> None:
    model = copy.deepcopy(watched.first)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    means, variances = [], []
    for batch in six_batches():
        optimizer.zero_grad()
        model(batch).square().sum().backward()
        optimizer.step()
        means.append(model[1].running_mean.clone())
        variances.append(model[1].running_var.clone())
    way = (means[5] - means[0]) / variances[5].sqrt()
    factors = [now / before for now, before in zip(variances[5].tolist(), variances[0].tolist(), strict=True)]
    change = math.sqrt(sum(math.log(factor) ** 2 for factor in factors) / len(factors))
    assert watched.stats["running_drift"]["1"] == pytest.approx(way.square().mean().sqrt().item(), rel=1e-3)
    assert watched.stats["running_variance_drift"]["1"] == pytest.approx(change, rel=1e-3)
    assert change > 0.1
    assert math.isnan(watched.stats["running_drift"]["0"])
    assert math.isnan(watched.stats["running_variance_drift"]["0"])


def test_a_variance_of_nothing_drifts_by_a_number(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, momentum=1.0))
    still = [torch.ones(8, 6)] * 5
    found = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.0), [*six_batches()[:1], *still])
    assert found.stats["running_variance_drift"]["1"] > math.log(1e6)
    assert math.isfinite(found.stats["running_variance_drift"]["1"])


def test_updates_are_lost_in_half_precision(offline: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 64)).to(torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    watched = Watched(offline, model, optimizer, [batch.bfloat16() for batch in six_batches()])
    before, after = (watched.weights(model, "0") for model in (watched.before, watched.model))
    pulled = watched.gradient("0") != 0
    lost = (before == after)[pulled].float().mean().item()
    assert watched.stats["lost_update_fraction"]["0"] == pytest.approx(lost)
    assert lost > 0.5
    last_place = before.float().abs().log2().floor().sub(7).exp2()  # of bfloat16, which keeps seven bits
    under_half = (1e-6 * watched.gradient("0").float().abs() < last_place / 2)[pulled].float().mean().item()
    assert lost == pytest.approx(under_half, abs=0.02)


def test_rows_of_an_embedding_that_never_come_up_have_not_moved(offline: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 3))
    batches = [torch.tensor([[0, 1], [2, 1]]) for _ in range(6)]
    watched = Watched(offline, model, torch.optim.Adam(model.parameters(), lr=0.01), batches)
    assert watched.stats["unmoved_fraction"]["0"] == pytest.approx(7 / 10)


def test_what_is_not_finite_is_counted(offline: Any) -> None:
    model = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight[1, 0] = math.inf
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    watched = Watched(offline, model, optimizer, [torch.ones(4, 6)])
    assert watched.stats["activation_nonfinite"]["0"] == 4
    assert watched.stats["activation_max"]["0"] == math.inf
    assert watched.stats["grad_nonfinite"]["2"] == (~watched.gradient("2").isfinite()).sum()
    assert watched.stats["weight_max"]["0"] == math.inf


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "turned": lambda hidden: hidden.transpose(0, 2),
    "cut out": lambda hidden: hidden[:, 1:-1, 3:77],
    "few columns": lambda hidden: hidden[..., -20:-17],
    "every other": lambda hidden: hidden[..., ::2],
    "one column": lambda hidden: torch.cat([hidden] * 2)[..., 190],
    "repeated rows": lambda hidden: hidden[0, :, None].expand(-1, 5, -1),
    "repeated values": lambda hidden: hidden[0, ::10, :, None].expand(-1, -1, 50),
    "one value": lambda hidden: hidden[0, 0, 0].expand(100, 100),
    "overlapping": lambda hidden: hidden.flatten().unfold(0, 64, 3),
    "turned, with gaps": lambda hidden: hidden.unflatten(2, (8, 25)).transpose(1, 2)[..., :20],
}


class TestLargeTensors:
    """Of more than 8,192 outputs, or 16,384 parameters, a few stand for all."""

    def test_shares_and_means_are_close(self, offline: Any) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
        inputs = torch.randn(128, 256)
        watched = Watched(offline, model, optimizer, [inputs])
        hidden = watched.before[0](inputs).detach()
        stats = watched.stats
        deviation = hidden.std().item() / math.sqrt(8_192)
        assert stats["activation_mean"]["0"] == pytest.approx(hidden.mean().item(), abs=5 * deviation)
        assert stats["activation_std"]["0"] == pytest.approx(hidden.std().item(), rel=0.03)
        assert stats["zero_fraction"]["1"] == pytest.approx((hidden <= 0).float().mean().item(), abs=0.02)

    @pytest.mark.parametrize(
        "make", [partial(torch.optim.SGD, lr=1e-4, momentum=0.9), partial(torch.optim.Adam, lr=1e-3)]
    )
    @pytest.mark.parametrize("width", [256, 2048])
    def test_norms_are_as_close_as_is_said(self, offline: Any, make: Any, width: int) -> None:
        torch.manual_seed(0)
        blocks = [(nn.Linear(256, width), nn.ReLU(), nn.Linear(width, 256)) for _ in range(8)]
        model = nn.Sequential(*(layer for block in blocks for layer in block))
        watched = Watched(offline, model, make(model.parameters()), [torch.randn(64, 256) for _ in range(4)])
        weights, ratios = [], []
        for layer in (name for name, module in model.named_children() if isinstance(module, nn.Linear)):
            before, after = (watched.weights(model, layer) for model in (watched.before, watched.model))
            ratio = (after - before).norm() / before.norm()
            weights.append(watched.stats["weight_norm"][layer] / before.norm().item() - 1)
            ratios.append(watched.stats["update_ratio"][layer] / ratio.item() - 1)
        for errors, said in ((weights, 0.005), (ratios, 0.0125)):
            assert math.hypot(*errors) / math.sqrt(len(errors)) < said
            assert max(map(abs, errors)) < 3 * said

    def test_maxima_and_gradient_norms_are_exact(self, offline: Any) -> None:
        model = nn.Sequential(nn.Linear(256, 512), nn.Linear(512, 512))
        inputs = torch.randn(128, 256)
        watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.001), [inputs])
        hidden = watched.before[0](inputs).detach()
        assert watched.stats["activation_max"]["0"] == pytest.approx(hidden.abs().max().item(), rel=APPROXIMATELY)
        gradient = watched.gradient("0")
        assert watched.stats["grad_norm"]["0"] == pytest.approx(gradient.norm().item(), rel=APPROXIMATELY)
        assert watched.stats["grad_max"]["0"] == pytest.approx(gradient.abs().max().item(), rel=APPROXIMATELY)

    def test_one_value_that_is_not_finite_does_not_hide(self, offline: Any) -> None:
        model = nn.Sequential(nn.Linear(256, 512), nn.Linear(512, 1))
        inputs = torch.randn(128, 256)
        with torch.no_grad():
            model[0].weight[77, 3] = math.nan
        watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.0), [inputs])
        assert math.isnan(watched.stats["activation_max"]["0"])
        assert watched.stats["activation_nonfinite"]["0"] >= 1
        assert math.isnan(watched.stats["grad_norm"]["0"])

    @pytest.mark.parametrize(("row", "column"), [(0, 0), (77, 3), (300, 131), (511, 255)])
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_one_gradient_that_is_not_finite_does_not_hide(
        self, offline: Any, row: int, column: int, value: float
    ) -> None:
        model = nn.Sequential(nn.Linear(256, 512), nn.Linear(512, 512), nn.Linear(512, 1))
        spoilt = torch.tensor(row), torch.tensor(column)
        model[0].weight.register_hook(lambda gradient: gradient.index_put(spoilt, torch.tensor(value)))
        watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.001), [torch.randn(16, 256)])
        assert watched.stats["grad_nonfinite"]["0"] >= 1
        assert watched.stats["grad_nonfinite"]["1"] == 0

    def test_an_embedding_of_which_few_rows_move_is_seen_to_move(self, offline: Any) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(20_000, 64), nn.Linear(64, 1))
        tokens = torch.randint(0, 20_000, (8, 64))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        watched = Watched(offline, model, optimizer, [tokens])
        before, after = (watched.weights(model, "0") for model in (watched.before, watched.model))
        true = ((after - before).norm() / before.norm()).item()
        assert watched.stats["update_ratio"]["0"] == pytest.approx(true, rel=0.3)

    def test_channels_last_is_measured_like_any_other_layout(self, offline: Any) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(64, 128, 3)).to(memory_format=torch.channels_last)
        watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.1), [torch.randn(4, 64, 8, 8)])
        before, after = (watched.weights(model, "0") for model in (watched.before, watched.model))
        true = ((after - before).norm() / before.norm()).item()
        assert watched.stats["update_ratio"]["0"] == pytest.approx(true, rel=0.05)
        assert watched.stats["lost_update_fraction"]["0"] == pytest.approx(0, abs=0.01)

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    def test_outputs_in_another_order_or_with_gaps_are_measured_like_any_other(
        self, offline: Any, change: Callable[[Tensor], Tensor]
    ) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 200), Through(change))
        with torch.no_grad():
            model[0].bias += torch.linspace(-2, 2, 200)  # so that columns are unlike, and rows by their inputs
        inputs = torch.randn(16, 300, 8) * torch.linspace(0.1, 2, 300).unsqueeze(1)
        watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=0.01), [inputs])
        output = watched.before(inputs).detach()
        stats = {stat: of_layers["1"] for stat, of_layers in watched.stats.items()}
        spread = output.std().item()
        assert stats["activation_mean"] == pytest.approx(output.mean().item(), abs=5 * spread / math.sqrt(8_192))
        assert stats["activation_std"] == pytest.approx(spread, rel=0.03)
        assert stats["activation_max"] == pytest.approx(output.abs().max().item(), rel=APPROXIMATELY)

    @pytest.mark.parametrize("change", [Tensor.t, lambda weight: weight[:, :300], lambda weight: weight[:, ::2]])
    def test_parameters_in_another_order_or_with_gaps_are_measured_like_any_other(
        self, offline: Any, change: Callable[[Tensor], Tensor]
    ) -> None:
        torch.manual_seed(0)
        layer = nn.Linear(8, 8, bias=False)
        layer.weight = nn.Parameter(change(torch.randn(600, 600) * torch.linspace(0.5, 2, 600)))
        inputs = torch.randn(32, layer.weight.shape[1]) * torch.linspace(0, 1, layer.weight.shape[1])
        model = nn.Sequential(layer)
        watched = Watched(offline, model, torch.optim.SGD(model.parameters(), lr=1e-4), [inputs] * 6)
        before, after = (watched.weights(model, "0") for model in (watched.before, watched.model))
        gradient, moved = watched.gradient("0"), after - before
        share = (moved == 0)[gradient != 0].float().mean().item()
        stats = {stat: of_layers["0"] for stat, of_layers in watched.stats.items()}
        assert stats["weight_norm"] == pytest.approx(before.norm().item(), rel=3 * 0.005)
        assert stats["update_ratio"] == pytest.approx((moved.norm() / before.norm()).item(), rel=3 * 0.01)
        assert stats["grad_mean"] == pytest.approx(gradient.mean().item(), abs=0.03 * gradient.std().item())
        assert stats["lost_update_fraction"] == pytest.approx(share, abs=0.01)


def test_values_of_gradients_are_taken_from_where_those_of_the_weights_are(offline: Any) -> None:
    """Of weights that are a view with gaps, whose gradients lie without."""
    torch.manual_seed(0)
    model = nn.Linear(300, 200, bias=False)
    model.weight = nn.Parameter(torch.randn(200, 600)[:, ::2])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-8)
    run = offline.init()
    run.watch(model, optimizer, every=1)
    model.weight.grad = torch.zeros(200, 300)
    model.weight.grad[:, ::3] = 1e-6  # too little to move the weights, but where these are about zero
    assert model.weight.grad.stride() != model.weight.stride()
    optimizer.step()
    run.finish()
    stats = offline.stats(0)
    assert stats["grad_zero_fraction"]["Linear"] == pytest.approx(2 / 3, abs=0.02)
    assert stats["grad_mean"]["Linear"] == pytest.approx(1e-6 / 3, rel=0.05)
    assert stats["lost_update_fraction"]["Linear"] == pytest.approx(1.0, abs=0.01)
