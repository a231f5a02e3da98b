"""The passes of one sampled step, where gradients are accumulated over several."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import Variable
from torch.optim import Optimizer
from torch.utils.hooks import unserializable_hook

from trainvitals.collector.device_clock import is_capturing
from trainvitals.collector.hooks import Faults, Hook
from trainvitals.collector.outputs import measured
from trainvitals.collector.parameter_rows import local
from trainvitals.collector.parts import trained_by
from trainvitals.collector.sample import Sample
from trainvitals.collector.stats.gradients import norm_of_all
from trainvitals.collector.transforms import is_repeated, is_transformed


class Accumulation:
    """Takes the norm of the gradients between the first two passes, when they are those of the first alone, and once
    more when the backward pass of the last is over, before anything can be done to them: all that the gradient noise
    scale takes. The last is the one that was the last in the sampled step before.

    Nothing is told unless each forward pass is followed by one backward pass of its output, all of as many examples,
    there was no gradient before, and none is cleared between passes, or clipped between the first two. ``guarded``
    measures, as for ``LossWatch``; ``is_plain``: one model and one optimizer, so that every pass adds to the same
    gradient, and one process: what ranks average among them, and when, is not seen."""

    def __init__(
        self,
        optimizer: Optimizer,
        guarded: Callable[[Callable[[], None]], None],
        *,
        faults: Faults,
        is_plain: bool,
    ) -> None:
        self._optimizer, self._guarded, self._faults, self._is_plain = optimizer, guarded, faults, is_plain
        self._usual: int | None = None  # passes of the sampled step before
        self._now: _Passes | None = None

    def begin(self) -> None:
        """A sampled step begins."""
        self._now = _Passes() if self._is_plain else None

    def count(self, examples: int) -> None:
        """A training pass begins, of so many examples."""
        if (now := self._now) is None or not _is_ordinary():
            return
        now.begun += 1
        now.is_known &= now.begun == now.over + 1 and not now.is_clipped and now.examples in (None, examples)
        now.examples = examples
        if now.begun == 2 and now.is_known:
            now.first = self._norm()
        if now.begun > 1 and now.is_known:
            now.small = self._smallest_gradient()

    def gave_out(self, output: object) -> None:
        """It is over, and this is the output."""
        now = self._now
        if now is None or not now.is_known or self._usual == 1 or not _is_ordinary():
            return  # of the one pass of each step there is nothing to know: the first of several is passed over
        tensor = measured(output)
        if tensor is None or not tensor.requires_grad:
            return
        number = now.begun
        hook = Hook(lambda _: self._guarded(lambda: self._goes_back(now, number)), self._faults)

        @unserializable_hook  # type: ignore[untyped-decorator]  # torch's own; else saving an output gives a warning
        def look(gradient: Tensor) -> None:
            hook(gradient)

        tensor.register_hook(look)

    def clipped(self) -> None:
        """Gradients were: a pass that comes after this adds to something else."""
        if self._now is not None:
            self._now.is_clipped = True

    def add_to(self, sample: Sample, *, loss_scale: Tensor | None) -> None:
        """What ``noise.estimate`` makes the scale of: "noise" [4, 1], with passes and examples of each."""
        now, self._now = self._now, None
        if now is None:
            return
        self._usual = now.begun
        first, whole, examples = now.first, now.whole, now.examples
        if not now.is_known or first is None or whole is None or examples is None:
            return
        before = first.new_zeros(()) if now.before is None else now.before
        scale = first.new_ones(()) if loss_scale is None else loss_scale.detach()
        columns = torch.stack([one.to(first) for one in (before, first, whole, scale)]).unsqueeze(1)
        sample.add("noise", columns, owners=[now.measured], sizes=[examples])

    def _goes_back(self, now: _Passes, number: int) -> None:
        """The backward pass of an output begins: of its gradients none is there yet."""
        if is_capturing() or now is not self._now:
            return
        task = torch._C._current_graph_task_id()
        if number != now.over + 1 or task == now.task:
            now.is_known = False
        now.over, now.task = number, task
        if number == 1 and self._gradients():
            now.before = self._norm()
        if number > 1:
            now.is_known &= now.small is not None and now.small == self._smallest_gradient()
            now.small = None
        if number > 1 and now.is_known and self._usual in (None, number):
            Variable._execution_engine.queue_callback(lambda: self._guarded(lambda: self._is_over(now, number)))

    def _is_over(self, now: _Passes, number: int) -> None:
        now.whole, now.measured = self._norm(), number

    def _norm(self) -> Tensor:
        return norm_of_all([local(gradient) for gradient in self._gradients()])

    def _gradients(self) -> list[Tensor]:
        return [one.grad for one in trained_by([self._optimizer]) if one.grad is not None]

    def _smallest_gradient(self) -> tuple[int, int] | None:
        """Which it is, and how often it was written to."""
        smallest = min(self._gradients(), key=torch.Tensor.numel, default=None)
        return None if smallest is None else (id(smallest), smallest._version)


class _Passes:
    """What is known of those of a step."""

    def __init__(self) -> None:
        self.begun = self.over = 0  # forward passes, and those whose backward pass has begun
        self.examples: int | None = None  # of each
        self.is_known = True  # that the gradient of each is added to those before
        self.is_clipped = False
        self.task: int | None = None  # the newest backward pass
        self.small: tuple[int, int] | None = None
        self.before: Tensor | None = None  # norm before the first pass, if there were gradients
        self.first: Tensor | None = None  # norm after the first pass
        self.whole: Tensor | None = None  # after so many:
        self.measured = 0


def _is_ordinary() -> bool:
    """Whether a forward pass is computed now, is not made again for a backward one, and none of torch.func's."""
    return not (is_repeated() or is_transformed() or is_capturing())
