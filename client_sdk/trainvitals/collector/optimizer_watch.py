"""What an optimizer's step is watched for: the gradients it sees, the weights before it, how far it moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainvitals.collector.decay import decays_of
from trainvitals.collector.parameter_rows import ParameterRows, layout, local, side_by_side
from trainvitals.collector.parcel import at_device_of, on_one_device
from trainvitals.collector.sample import HISTOGRAM, Sample
from trainvitals.collector.stats import gradient_values, gradients, histograms, moments, updates, weights

SECOND_MOMENTS: Final = ("exp_avg_sq", "square_avg")  # as Adam and its kin, and RMSprop, call them in their state


class OptimizerWatch:
    """The parameters of one optimizer with their layers."""

    def __init__(self, optimizer: Optimizer, *, pairs: Sequence[tuple[nn.Parameter, int]]) -> None:
        self._optimizer = optimizer
        self._parameters: list[Tensor] = [parameter for parameter, _ in pairs]
        self._owners = [owner for _, owner in pairs]
        self._sizes: list[int] = []
        self._groups: list[ParameterRows] = []
        self._layout: list[object] = []
        self._gradient_rows: list[Tensor] = []
        self._taken = False
        self._has_closure = False

    def prepare(self) -> None:
        """Lay out rows for the parameters as they are now, and remember the weights."""
        self._layout = layout(self._parameters)
        self._sizes = [local(parameter).numel() for parameter in self._parameters]
        self._groups = side_by_side(self._parameters)

    def before(self, sample: Sample, *, has_closure: bool) -> None:
        """Before the step: gradients as the optimizer sees them, accumulated and unscaled; weights kept. A closure
        makes the gradients in the step, so that they are looked at when it is over."""
        if layout(self._parameters) != self._layout:
            self.prepare()
        self._has_closure = has_closure
        if not has_closure:
            self._take_gradients(sample)
        for group in self._groups:
            group.take_before()
        self._taken = True

    def after(self, sample: Sample) -> None:
        """After the step: the weights before it, and how far they have moved."""
        if not self._taken:
            return
        self._taken = False
        if self._has_closure:
            self._take_gradients(sample)
        settings = {id(one): group for group in self._optimizer.param_groups for one in group["params"]}
        for index, group in enumerate(self._groups):
            norms = torch.linalg.vector_norm(group.before, dim=1)
            if sample.in_depth:
                group.take_after()
                rows = self._gradient_rows[index]
                self._add(sample, "weights", weights.reduce_rows(group.first, group.before, group.after, rows), group)
                self._take_moments(sample, group, rows, settings)
            if sample.with_histograms:
                self._add(sample, HISTOGRAM + "weights", histograms.reduce_rows(group.before), group)
            moved = group.after.sub_(group.before) if sample.in_depth else group.moved()
            self._add(sample, "updates", updates.reduce_rows(norms, moved), group)
            members = (self._parameters[member] for member in group.members)
            sample.decays.extend(decays_of(members, self._optimizer, settings))
        self._gradient_rows = []

    def _take_gradients(self, sample: Sample) -> None:
        # a GradScaler leaves unscaling, and skipping, to fused optimizers
        if isinstance(found := getattr(self._optimizer, "found_inf", None), Tensor):
            sample.add("skipped", found.reshape(1, 1), owners=[0], sizes=[1])
        scale = getattr(self._optimizer, "grad_scale", None)
        self._gradient_rows = []
        for group in self._groups:
            held = [self._parameters[member].grad for member in group.members]
            dense = [None if gradient is None or gradient.is_sparse else gradient for gradient in held]
            present = [place for place, gradient in enumerate(dense) if gradient is not None]
            columns = None
            if group.whole or sample.in_depth:
                rows = group.gradients(dense)
                rows = rows if scale is None else rows.div_(scale)
                columns = gradients.reduce_rows(rows) if group.whole else None
            if sample.in_depth:
                self._gradient_rows.append(rows)
                self._add(sample, "gradient_values", gradient_values.reduce_rows(rows), group, present)
                if sample.with_histograms:
                    self._add(sample, HISTOGRAM + "gradients", histograms.reduce_rows(rows), group, present)
            if columns is None and present:
                each = gradients.reduce_each([local(gradient) for gradient in dense if gradient is not None])
                owners, sizes = self._of(group, present)
                sample.add("gradients", each if scale is None else each / scale, owners=owners, sizes=sizes)
            elif columns is not None:
                self._add(sample, "gradients", columns, group, present)
            for place, gradient in enumerate(held):
                if gradient is not None and gradient.is_sparse:
                    self._take_sparse(sample, gradient if scale is None else gradient / scale, group, place)

    def _take_sparse(self, sample: Sample, gradient: Tensor, group: ParameterRows, place: int) -> None:
        owners, sizes = self._of(group, [place])
        values = gradient.coalesce().values()
        norm = gradients.reduce_each([values if values.numel() else values.new_zeros(1)])
        sample.add("gradients", norm, owners=owners, sizes=sizes)
        if sample.in_depth:
            shares = gradient_values.reduce_sparse(gradient).unsqueeze(1)
            sample.add("gradient_values", shares, owners=owners, sizes=sizes)
        if sample.with_histograms:
            sample.add_histograms("gradients", histograms.reduce_sparse(gradient), owners=owners, sizes=sizes)

    def _take_moments(
        self, sample: Sample, group: ParameterRows, gradient_rows: Tensor, settings: Mapping[int, Any]
    ) -> None:
        kept: list[Tensor | None] = []
        steps, factors, epsilons, present = [], [], [], []
        for place, member in enumerate(group.members):
            parameter = self._parameters[member]
            moment, step, factor, epsilon = _second_moment(
                self._optimizer.state.get(parameter, {}), settings.get(id(parameter), {})
            )
            kept.append(moment)
            steps.append(step)
            factors.append(factor)
            epsilons.append(epsilon)
            if moment is not None:
                present.append(place)
        if not present:
            return
        rows = group.others(kept)
        # steps are counted on the host unless the optimizer is capturable: then one copy, not one each
        together = at_device_of(rows, torch.stack(on_one_device(steps)))
        faded = at_device_of(rows, torch.stack(on_one_device(factors))).pow(together)
        rows.div_((1 - faded).to(rows.dtype).unsqueeze(1))
        least = at_device_of(rows, torch.tensor(epsilons, dtype=rows.dtype))
        columns = moments.reduce_rows(rows, gradient_rows, epsilons=least)
        self._add(sample, "moments", columns, group, present)

    def _add(
        self,
        sample: Sample,
        kind: str,
        columns: Tensor,
        group: ParameterRows,
        present: Sequence[int] | None = None,
    ) -> None:
        """Columns of a group; ``present``: those of its places that count."""
        places = range(len(group.members)) if present is None else present
        if not places:
            return
        owners, sizes = self._of(group, places)
        if len(places) < len(group.members):
            columns = columns.index_select(1, at_device_of(columns, torch.tensor(places)))
        sample.add(kind, columns, owners=owners, sizes=sizes)

    def _of(self, group: ParameterRows, places: Sequence[int]) -> tuple[list[int], list[int]]:
        members = [group.members[place] for place in places]
        return [self._owners[member] for member in members], [self._sizes[member] for member in members]


_ZERO: Final = torch.zeros(())
_ONE: Final = torch.ones(())


def _second_moment(
    state: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[Tensor | None, Tensor, Tensor, float]:
    """The second moment in an optimizer's state for a parameter, or None; step t and factor β₂, of which 1 - β₂ᵗ is its
    bias correction; and ε."""
    moment = next((state[name] for name in SECOND_MOMENTS if isinstance(state.get(name), Tensor)), None)
    epsilon = settings.get("eps")
    if moment is None or not isinstance(epsilon, float):
        return None, _ONE, _ZERO, 0.0
    step, betas = state.get("step"), settings.get("betas")
    if step is None or betas is None:
        return moment, _ONE, _ZERO, epsilon
    factor = torch.as_tensor(betas[1], dtype=torch.float32)
    return moment, torch.as_tensor(step, dtype=torch.float32), factor, epsilon
