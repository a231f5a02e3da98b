"""TensorBoard's histograms of all weights and gradients, at every step and at every hundredth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from benchmarks.overhead.contestant import Calls, Contestant


def drawn(*, every: int) -> Callable[[nn.Module, Optimizer, Path], AbstractContextManager[Calls]]:
    """Drawn with ``add_histogram`` in the loop, as its tutorials have it; the loss at every step."""

    @contextmanager
    def attach(model: nn.Module, optimizer: Optimizer, folder: Path) -> Iterator[Calls]:
        with SummaryWriter(folder) as writer:

            def draw(step: int, loss: Tensor) -> None:
                writer.add_scalar("loss", loss, step)
                if step % every == 0:
                    for name, parameter in model.named_parameters():
                        writer.add_histogram(f"weights/{name}", parameter, step)
                        if parameter.grad is not None:
                            writer.add_histogram(f"gradients/{name}", parameter.grad, step)

            yield Calls(before_step=draw)

    return attach


CONTESTANTS = [
    Contestant(name="TensorBoard, each 100th step", attach=drawn(every=100)),
    Contestant(name="TensorBoard, every step", attach=drawn(every=1), steps=10, warm_up=5),
]
