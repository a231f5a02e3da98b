"""A second way to every stat: full tensors, kept by ordinary hooks and clones in a training that nobody watches."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from tests.sdk.plain_histograms import parts

LOOKS_IN_DEPTH = 5  # every so many snapshots
TAKES_HISTOGRAMS = 10  # every so many
NAN = math.nan

Stats = dict[str, dict[str, float]]  # stat → layer → value
Histograms = dict[str, dict[str, list[int]]]  # kind → layer → cells
Models = nn.Module | Mapping[str, nn.Module]


class Observer:
    """What a training of a set-up calls where something happens; this one only takes part."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def watch(self, models: Models, *optimizers: Optimizer) -> None:
        """The training begins."""

    def unwatch(self) -> None:
        """What follows is nobody's business."""

    def unseen(self) -> AbstractContextManager[object]:
        """No forward pass within is one of training."""
        return nullcontext()

    def compiled(self, function: Any) -> Any:
        """A model or function, compiled by a backend that compiles nothing but traces like any other."""
        return torch.compile(function, backend="eager", fullgraph=isinstance(function, nn.Module))

    def compile(self, model: nn.Module) -> None:
        """The same, in place."""
        model.compile(backend="eager", fullgraph=True)

    def clip(self, parameters: Iterable[Tensor], *, max_norm: float) -> None:
        """Clip their gradients."""
        clip_grad_norm_(parameters, max_norm)

    def step(self, optimizer: Optimizer, *, closure: Any = None, scaler: torch.amp.GradScaler | None = None) -> None:
        """A step of the optimizer."""
        if scaler is not None:
            scaler.step(optimizer)
        elif closure is not None:
            optimizer.step(closure)
        else:
            optimizer.step()

    def ended(self, loss: Tensor) -> None:
        """All optimizers have stepped."""
        self.losses.append(loss.item())


class Keep:
    """A hook that keeps what a layer gives out, or takes in, and does nothing in copies of the model."""

    def __init__(self, keep: Callable[[object], None] | None = None) -> None:
        self._keep = keep

    def __call__(self, module: nn.Module, *given: object) -> None:
        if self._keep is not None:
            self._keep(given[-1])

    def __reduce__(self) -> tuple[type[Keep], tuple[()]]:
        return Keep, ()


def first_tensor(output: object) -> Tensor | None:
    """The tensor that stands for an output."""
    if isinstance(output, Tensor):
        return output
    if dataclasses.is_dataclass(output):
        output = vars(output)
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    return next((found for part in parts if (found := first_tensor(part)) is not None), None)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().double().flatten() for tensor in tensors])


class Plain(Observer):
    """Says what each step's stats, histograms and metrics are: the first two by step, ``metrics`` by name as (step,
    value). Beside those of trainvitals' names there are "examples", of each step but a watch's first."""

    def __init__(self) -> None:
        super().__init__()
        self.stats: dict[int, Stats] = {}
        self.histograms: dict[int, Histograms] = {}
        self.metrics: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._step = 0
        self._skipped: int | None = None
        self._counts = True
        self._hooks: list[Any] = []
        self._modules: dict[str, nn.Module] = {}

    def watch(self, models: Models, *optimizers: Optimizer) -> None:
        named = {"": models} if isinstance(models, nn.Module) else models
        self._optimizers = optimizers
        self._modules, self._own = {}, {}
        self._snapshots = 0
        self._examples: Counter[int] = Counter()  # by model: one may feed another
        self._trace = self._signal = 0.0  # of the gradient's noise, and of the gradient
        self._is_plain = isinstance(models, nn.Module) and len(optimizers) == 1
        self._fired: dict[str, Tensor] = {}
        self._running: dict[str, tuple[Tensor, Tensor]] = {}
        for prefix, wrapped in named.items():
            is_wrapper = isinstance(wrapped, (DataParallel, DistributedDataParallel))
            model = wrapped.module if is_wrapper else wrapped
            self._hooks.append(model.register_forward_pre_hook(Keep(partial(self._enter, model))))
            for path, module in model.named_modules():
                self._add(".".join(filter(None, (prefix, path))) or type(module).__name__, module)
        self._initial = {id(one): one.detach().clone() for own in self._own.values() for one in own}
        self._begin()

    def unwatch(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()
        self._modules = {}

    @contextmanager
    def unseen(self) -> Any:
        self._counts = False
        yield
        self._counts = True

    def compiled(self, function: Any) -> Any:
        return function  # hooks within what is compiled do not run

    def compile(self, model: nn.Module) -> None:
        """As in ``compiled``."""

    def clip(self, parameters: Iterable[Tensor], *, max_norm: float) -> None:
        given = list(parameters)
        norm = float(flat(one.grad for one in given if one.grad is not None).norm())
        self._now["grad_norm_before_clipping"] = norm
        self._now["clipped_fraction"] = float(norm > max_norm)
        super().clip(given, max_norm=max_norm)

    def step(self, optimizer: Optimizer, *, closure: Any = None, scaler: torch.amp.GradScaler | None = None) -> None:
        parameters = [one for group in optimizer.param_groups for one in group["params"]]
        scale = 1.0
        if scaler is not None:
            scale = self._now["loss_scale"] = scaler.get_scale()
            self._skipped = self._skipped or 0
        self._before |= {id(one): one.detach().clone() for one in parameters}
        if closure is None:
            self._take_gradients(parameters, scale)
        super().step(optimizer, closure=closure, scaler=scaler)
        if closure is not None:
            self._take_gradients(parameters, scale)
        if scaler is not None and not all(one.isfinite().all() for one in self._gradients.values()):
            self._skipped = (self._skipped or 0) + 1
            self._begin()
            self._is_skipped = True
            return
        for one in parameters:
            self._after[id(one)] = one.detach().clone()
            if (moment := _second_moment(optimizer, one)) is not None:
                self._moments[id(one)] = moment

    def ended(self, loss: Tensor) -> None:
        super().ended(loss)
        self.metrics["loss"].append((self._step, loss.item()))
        if self._is_skipped:
            self._begin()
            return
        if self._modules and self._before:
            self._close()
        self._step += 1
        self._begin()

    def _add(self, name: str, module: nn.Module) -> None:
        own = list(module.parameters(recurse=False))
        if module in self._modules.values() or (not own and any(True for _ in module.children())):
            return
        taken = {id(one) for others in self._own.values() for one in others}
        self._own[name] = [one for one in own if id(one) not in taken]
        self._modules[name] = module
        self._hooks.append(module.register_forward_hook(Keep(lambda output: self._keep(name, output))))

    def _enter(self, model: nn.Module, arguments: object) -> None:
        if not self._counts or not model.training or not torch.is_grad_enabled():
            return
        (batch,) = arguments if isinstance(arguments, tuple) else ()
        self._passes += 1
        self._examples[id(model)] += len(batch)
        held = [one.grad for one in model.parameters() if one.grad is not None]
        if self._passes == 2 and held and self._is_plain:
            self._first_pass = float(flat(held).norm()) ** 2, len(batch)

    def _keep(self, name: str, output: object) -> None:
        if self._counts and (tensor := first_tensor(output)) is not None:
            self._outputs[name].append(tensor.detach().double().clone())

    def _begin(self) -> None:
        self._outputs: dict[str, list[Tensor]] = defaultdict(list)
        self._gradients: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}
        self._after: dict[int, Tensor] = {}
        self._moments: dict[int, tuple[Tensor, float]] = {}
        self._now: dict[str, float] = {}
        self._is_skipped = False
        self._passes = 0
        self._first_pass: tuple[float, int] | None = None  # square norm of its gradient, and examples

    def _take_gradients(self, parameters: Sequence[Tensor], scale: float) -> None:
        for one in parameters:
            if one.grad is not None:
                dense = one.grad.to_dense() if one.grad.is_sparse else one.grad
                self._gradients[id(one)] = dense.detach().double() / scale

    def _close(self) -> None:
        in_depth = self._snapshots % LOOKS_IN_DEPTH == 0
        if self._snapshots % TAKES_HISTOGRAMS == 0:
            self.histograms[self._step] = self._distributions()
        if self._snapshots:
            self.metrics["examples"].append((self._step, max(self._examples.values(), default=0)))
        self._snapshots += 1
        self._examples.clear()
        found: Stats = defaultdict(dict)
        for name, module in self._modules.items():
            of_layer = self._of_outputs(name, module, in_depth=in_depth) | self._of_parameters(name, in_depth=in_depth)
            for stat, value in of_layer.items():
                found[stat][name] = value
        self.stats[self._step] = found
        self._now["grad_norm"] = float(flat(self._gradients.values()).norm())
        self._add_noise()
        if self._skipped is not None:
            self._now["skipped_steps"] = self._skipped
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        self._now |= {f"lr/{index}" if index else "lr": group["lr"] for index, group in enumerate(groups)}
        for metric, value in self._now.items():
            self.metrics[metric].append((self._step, value))

    def _distributions(self) -> Histograms:
        found: Histograms = defaultdict(dict)
        for name, own in self._own.items():
            gradients = [self._gradients[id(one)] for one in own if id(one) in self._gradients]
            weights = [self._before.get(id(one), one) for one in own]
            for kind, tensors in (
                ("weights", weights), ("gradients", gradients), ("activations", self._outputs.get(name, [])),
            ):  # fmt: skip
                found[kind][name] = parts(*tensors)
        return found

    def _add_noise(self) -> None:
        """McCandlish et al., equations A.2: of the means over one pass's examples, and over all of them."""
        if self._first_pass is None:
            return
        first, small = self._first_pass
        big = small * self._passes
        mean_of_first = first * self._passes**2  # each loss is divided by the number of passes
        mean_of_all = self._now.get("grad_norm_before_clipping", self._now["grad_norm"]) ** 2
        signal = (big * mean_of_all - small * mean_of_first) / (big - small)
        trace = (mean_of_first - mean_of_all) / (1 / small - 1 / big)
        self._signal, self._trace = 0.9 * self._signal + 0.1 * signal, 0.9 * self._trace + 0.1 * trace
        if self._signal > 0 and self._trace > 0:
            self._now["gradient_noise_scale"] = self._trace / self._signal

    def _of_outputs(self, name: str, module: nn.Module, *, in_depth: bool) -> dict[str, float]:
        outputs = self._outputs.get(name)
        values = flat(outputs) if outputs else None
        found = dict.fromkeys(("activation_mean", "activation_std", "activation_max", "zero_fraction"), NAN)
        found |= dict.fromkeys(("activation_nonfinite", "saturated_fraction"), NAN)
        if values is not None:
            found["activation_mean"] = float(values.mean())
            found["activation_std"] = float(values.std(correction=0))
            found["activation_max"] = float(values.abs().max())
            found["zero_fraction"] = float((values == 0).double().mean())
            found["activation_nonfinite"] = float((~values.isfinite()).sum())
            if isinstance(module, nn.Tanh):
                found["saturated_fraction"] = float((values.abs() > 0.97).double().mean())
        if isinstance(module, nn.ReLU) and outputs:
            fired = torch.stack([one.flatten(0, -2).gt(0).any(dim=0) for one in outputs]).any(dim=0)
            self._fired[name] = fired | self._fired.get(name, fired)
        if in_depth:
            found["dead_fraction"] = 1 - float(self._fired[name].double().mean()) if name in self._fired else NAN
            found["running_drift"], found["running_variance_drift"] = self._drift(name, module)
        return found

    def _drift(self, name: str, module: nn.Module) -> tuple[float, float]:
        if not isinstance(module, nn.BatchNorm1d) or module.running_mean is None or module.running_var is None:
            return NAN, NAN
        now = module.running_mean.double().clone(), module.running_var.double().clone()
        earlier, self._running[name] = self._running.get(name), now
        if earlier is None:
            return NAN, NAN
        way, change = (now[0] - earlier[0]) / now[1].sqrt(), now[1].log() - earlier[1].log()
        return float(way.square().mean().sqrt()), float(change.square().mean().sqrt())

    def _of_parameters(self, name: str, *, in_depth: bool) -> dict[str, float]:
        own = self._own[name]
        gradients = [self._gradients[id(one)] for one in own if id(one) in self._gradients]
        found = _of_gradients(flat(gradients) if gradients else None, in_depth=in_depth)
        first = [self._initial[id(one)] for one in own]
        before = [self._before.get(id(one), one) for one in own]
        after = [self._after.get(id(one), one) for one in own]
        if not own:
            stats = ("weight_norm", "update_ratio", "update_rms") + IN_DEPTH_OF_WEIGHTS * in_depth
            return found | dict.fromkeys(stats, NAN)
        old, moved = flat(before), flat(after) - flat(before)
        found["weight_norm"] = float(old.norm())
        found["update_ratio"] = float(moved.norm() / old.norm()) if old.norm() else NAN
        found["update_rms"] = float(moved.square().mean().sqrt())
        if in_depth:
            start = flat(first)
            found["weight_max"] = float(old.abs().max())
            found["init_distance"] = float((old - start).norm() / start.norm()) if start.norm() else NAN
            pulled = [
                self._gradients[id(one)] != 0 if id(one) in self._gradients else one.bool() & False for one in own
            ]
            still = flat(before) == flat(after)
            found["lost_update_fraction"] = float(still[flat(pulled).bool()].double().mean())
            found["unmoved_fraction"] = float((old == start).double().mean())
            found |= _of_moments(
                [(*self._moments[id(one)], self._gradients[id(one)]) for one in own if id(one) in self._moments]
            )
        return found


IN_DEPTH_OF_WEIGHTS = (
    "weight_max", "init_distance", "lost_update_fraction", "unmoved_fraction", "second_moment_rms", "adam_rms",
    "epsilon_fraction",
)  # fmt: skip


def _of_gradients(values: Tensor | None, *, in_depth: bool) -> dict[str, float]:
    stats = ("grad_norm", "grad_max") + ("grad_mean", "grad_zero_fraction", "grad_nonfinite") * in_depth
    if values is None:
        return dict.fromkeys(stats, NAN)
    found = {
        "grad_norm": float(values.norm()),
        "grad_max": float(values.abs().max()),
        "grad_mean": float(values.mean()),
        "grad_zero_fraction": float((values == 0).double().mean()),
        "grad_nonfinite": float((~values.isfinite()).sum()),
    }
    return {stat: found[stat] for stat in stats}


def _second_moment(optimizer: Optimizer, one: Tensor) -> tuple[Tensor, float] | None:
    state = optimizer.state.get(one, {})
    group = next(group for group in optimizer.param_groups if any(one is other for other in group["params"]))
    if "square_avg" in state:
        return state["square_avg"].double(), group["eps"]
    if "exp_avg_sq" not in state:
        return None
    return state["exp_avg_sq"].double() / (1 - group["betas"][1] ** float(state["step"])), group["eps"]


def _of_moments(held: Sequence[tuple[Tensor, float, Tensor]]) -> dict[str, float]:
    """Of second moments, with epsilons and gradients."""
    if not held:
        return dict.fromkeys(("second_moment_rms", "adam_rms", "epsilon_fraction"), NAN)
    fits = flat(gradient.square() / moment.clamp(min=epsilon**2) for moment, epsilon, gradient in held)
    return {
        "second_moment_rms": float(flat(moment for moment, _, _ in held).mean().sqrt()),
        "adam_rms": float(fits.mean().sqrt()),
        "epsilon_fraction": float(flat(moment.sqrt() < epsilon for moment, epsilon, _ in held).mean()),
    }
