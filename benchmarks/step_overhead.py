"""What watching costs a training step: ratios to the bare loop, interleaved, medians."""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

import trainvitals as tv

WARM_UP_STEPS = 60  # beyond the steps that are sampled densely at the start
AT_DEFAULTS = 0  # instead of an interval


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """x: [batch, tokens, width]."""
        batch, tokens, width = x.shape
        parts = self.qkv(self.norm1(x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = fn.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + torch.as_tensor(self.mlp(self.norm2(x)))


def mlp() -> tuple[nn.Module, Tensor]:
    """Three hidden layers of 512."""
    layers: list[nn.Module] = [nn.Linear(256, 512), nn.ReLU()]
    for _ in range(2):
        layers += [nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(512, 10)), torch.randn(256, 256)


def cnn() -> tuple[nn.Module, Tensor]:
    """Three convolutions with batch norm on 32 × 32 pictures."""
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10)), torch.randn(64, 3, 32, 32)


def gpt() -> tuple[nn.Module, Tensor]:
    """Four blocks of width 192, 128 tokens."""
    return nn.Sequential(*(Block(192, 4) for _ in range(4)), nn.Linear(192, 96)), torch.randn(8, 128, 192)


def small_layers() -> tuple[nn.Module, Tensor]:
    """200 linear layers of width 64."""
    return nn.Sequential(*(nn.Linear(64, 64) for _ in range(200))), torch.randn(64, 64)


CONTESTANTS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "MLP": mlp,
    "small CNN": cnn,
    "small GPT": gpt,
    "200 small layers": small_layers,
}


@contextmanager
def stepping(make: Callable[[], tuple[nn.Module, Tensor]], every: int | None) -> Iterator[Callable[[], float]]:
    """A step that answers its seconds; ``every``: watched at every n-th step, 0: at the defaults; None: bare."""
    torch.manual_seed(0)
    model, data = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack, redirect_stderr(io.StringIO()):
        run = None
        if every is not None:
            run = stack.enter_context(tv.init(project="benchmarks", mode="offline", directory=folder))
            run.watch(model, optimizer, every=every or None)

        def step() -> float:
            begin = time.perf_counter()
            loss = torch.as_tensor(model(data)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if run is not None:
                run.log({"loss": loss})
            return time.perf_counter() - begin

        yield step


def ratios(make: Callable[[], tuple[nn.Module, Tensor]], *, rounds: int, steps: int) -> tuple[float, float, float]:
    """Milliseconds of a bare step; time at the defaults, and with every step sampled, each to the bare loop. ``steps``
    of a round are as many as lie between two snapshots that are looked at in depth, or more."""
    with stepping(make, None) as bare, stepping(make, AT_DEFAULTS) as default, stepping(make, 1) as each:
        loops = (bare, default, each)
        for loop in loops:
            for _ in range(WARM_UP_STEPS):
                loop()
        spent = [[sum(loop() for _ in range(steps)) for loop in loops] for _ in range(rounds)]
    milliseconds = 1000 * statistics.median(row[0] for row in spent) / steps
    return (
        milliseconds,
        statistics.median(row[1] / row[0] for row in spent),
        statistics.median(row[2] / row[0] for row in spent),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, noisier figures")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print(f"{'network':<18}{'bare ms':>9}{'defaults':>12}{'every step':>12}")
    for name, make in CONTESTANTS.items():
        bare, default, each = ratios(make, rounds=3 if quick else 9, steps=100)
        print(f"{name:<18}{bare:>9.2f}{default:>11.3f}×{each:>11.3f}×")


if __name__ == "__main__":
    main()
