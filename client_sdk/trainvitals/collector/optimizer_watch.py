"""What an optimizer's step is watched for: the gradients it sees, the weights before it, how far it moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainvitals.collector.decay import decays_of
from trainvitals.collector.fading import corrections, second_moment
from trainvitals.collector.gradient_watch import take_together
from trainvitals.collector.parameter_rows import ParameterRows, layout, local, side_by_side
from trainvitals.collector.parcel import at_device_of
from trainvitals.collector.sample import HISTOGRAM, Sample
from trainvitals.collector.stats import gradient_values, gradients, histograms, moments, updates, weights


class OptimizerWatch:
    """The parameters of one optimizer with their layers; ``beside``: those of layers that were not chosen, which have
    no rows."""

    def __init__(
        self, optimizer: Optimizer, *, pairs: Sequence[tuple[nn.Parameter, int]], beside: Sequence[Tensor] = ()
    ) -> None:
        self._optimizer = optimizer
        self._beside = beside
        self._parameters: list[Tensor] = [parameter for parameter, _ in pairs]
        self._owners = [owner for _, owner in pairs]
        self._groups: list[ParameterRows] = []
        self._layout: list[object] = []
        self._gradient_rows: list[Tensor] = []
        self._taken = False
        self._has_closure = False

    def prepare(self) -> None:
        """Lay out rows for the parameters as they are now, and remember the weights."""
        self._layout = layout(self._parameters)
        self._groups = side_by_side(self._parameters, self._owners)

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
                columns = weights.reduce_rows(group.first, group.before, group.after, rows, start=group.start)
                self._add(sample, "weights", columns, group)
            if sample.with_histograms:
                self._add(sample, HISTOGRAM + "weights", histograms.reduce_rows(group.before), group)
            moved = group.after.sub_(group.before) if sample.in_depth else group.moved()
            self._add(sample, "updates", updates.reduce_rows(norms, moved), group)
            if sample.in_depth:
                self._take_moments(sample, group, self._gradient_rows[index], settings)
            members = (self._parameters[member] for member in group.members)
            sample.decays.extend(decays_of(members, self._optimizer, settings))
        self._gradient_rows = []

    def _take_gradients(self, sample: Sample) -> None:
        # a GradScaler leaves unscaling, and skipping, to fused optimizers
        if isinstance(found := getattr(self._optimizer, "found_inf", None), Tensor):
            sample.add("skipped", found.reshape(1, 1), owners=[0], sizes=[1])
        scale = getattr(self._optimizer, "grad_scale", None)
        if self._beside:
            take_together(sample, self._beside, scale=scale)
        self._gradient_rows = []
        for group in self._groups:
            held = [self._parameters[member].grad for member in group.members]
            dense = [None if gradient is None or gradient.is_sparse else gradient for gradient in held]
            present = [place for place, gradient in enumerate(dense) if gradient is not None]
            each = None  # of all values, where rows have few
            if not group.whole and present:
                each = gradients.reduce_each([local(gradient) for gradient in dense if gradient is not None])
                owners, sizes = group.layers_of(present)
                sample.add("gradients", each if scale is None else each / scale, owners=owners, sizes=sizes)
            if group.whole or sample.in_depth:
                rows = group.gradients(dense)
                rows = rows if scale is None else rows.div_(scale)
            if group.whole:
                self._add(sample, "gradients", gradients.reduce_rows(rows), group, present)
            if sample.in_depth:
                self._gradient_rows.append(rows)
                columns = gradient_values.reduce_rows(rows)
                if each is not None:
                    places = at_device_of(rows, torch.tensor(present))
                    gradient_values.add_unseen(columns, each[gradients.LARGEST], places=places, sizes=sizes)
                self._add(sample, "gradient_values", columns, group, present)
                if sample.with_histograms:
                    self._add(sample, HISTOGRAM + "gradients", histograms.reduce_rows(rows), group, present)
            for place, gradient in enumerate(held):
                if gradient is not None and gradient.is_sparse:
                    self._take_sparse(sample, gradient if scale is None else gradient / scale, group, place)

    def _take_sparse(self, sample: Sample, gradient: Tensor, group: ParameterRows, place: int) -> None:
        owners, sizes = group.layers_of([place])
        values = gradients.values_of(gradient)
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
        state = self._optimizer.state
        members = [self._parameters[member] for member in group.members]
        found = [second_moment(state.get(one, {}), settings.get(id(one), {})) for one in members]
        present = [place for place, (moment, _) in enumerate(found) if moment is not None]
        if not present:
            return
        rows = group.others([moment for moment, _ in found])
        rows.div_(corrections([fading for _, fading in found], like=rows).unsqueeze(1))
        least = at_device_of(rows, torch.tensor([fading.epsilon for _, fading in found], dtype=rows.dtype))
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
        owners, sizes = group.layers_of(places)
        if len(places) < len(group.members):
            columns = columns.index_select(1, at_device_of(columns, torch.tensor(places)))
        sample.add(kind, columns, owners=owners, sizes=sizes)


def has_closure(arguments: object, named: object) -> bool:
    """Whether a step was given one, by the arguments that hooks before it get."""
    given = arguments[1] if isinstance(arguments, tuple) and len(arguments) > 1 else None  # the first is the optimizer
    return given is not None or (isinstance(named, Mapping) and named.get("closure") is not None)
