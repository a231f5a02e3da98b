"""Attention whose logits grow, or that looks at single keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from clinic.bench import Bench
from clinic.case import healthy, sick
from clinic.cases.task import changed
from clinic.material import digits, text, token_loss
from clinic.networks import GPT, Block

HOT = ("loss_not_decreasing", "loss_diverging", "loss_spike", "updates_too_large", "learning_rate_too_high",
       "exploding_gradients", "attention_entropy_collapse", "attention_logits_growing", "vanishing_gradients",
       "layer_not_learning", "class_collapse", "initial_loss_off", "poor_initialisation")  # fmt: skip


class Patches(nn.Module):
    """Pictures of 8 × 8 as 16 patches, which attend to one another: [n, 64] to logits of ten classes."""

    def __init__(self, *, width: int = 32, depth: int = 2) -> None:
        super().__init__()
        self.stem, self.place = nn.Linear(4, width), nn.Parameter(0.02 * torch.randn(16, width))
        self.blocks = nn.Sequential(*(Block(width, 4) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        patches = nn.functional.unfold(pictures.view(-1, 1, 8, 8), 2, stride=2).mT
        hidden = self.blocks(self.stem(patches) + self.place)
        return self.head(self.norm(hidden).mean(1))  # type: ignore[no-any-return]  # torch types no call


def hot_gpt(bench: Bench) -> None:
    """AdamW at thirty times the rate that a GPT bears, without warm-up."""
    model = GPT()
    optimizer = AdamW(model.parameters(), lr=0.05)
    bench.fit(
        model, optimizer, text().batches(16, seed=bench.seed), steps=400, loss_fn=token_loss, attention=True, every=5
    )


def hot_patches(bench: Bench) -> None:
    """The same with patches of pictures."""
    model = Patches()
    optimizer = AdamW(model.parameters(), lr=0.05)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=400, attention=True, every=5)


def sharpen(model: nn.Module, *, times: float) -> None:
    """Draw queries and keys so many times larger than PyTorch does."""
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.MultiheadAttention):
                part.in_proj_weight[: 2 * part.embed_dim] *= times


def sharp_gpt(bench: Bench) -> None:
    """Queries and keys drawn twelve times too large."""
    model = GPT()
    sharpen(model, times=12)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=token_loss, attention=True)


def sharp_patches(bench: Bench) -> None:
    """The same with patches of pictures."""
    model = Patches()
    sharpen(model, times=12)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=300, attention=True)


def first_byte(bench: Bench) -> None:
    """Saying at every place what came first: attention has to be sharp for that, and is right to."""
    model = GPT(depth=1)
    optimizer = AdamW(model.parameters(), lr=5e-3)
    batches = changed(text().batches(32, seed=bench.seed), lambda x, y: (x, x[:, :1].expand_as(x)))
    bench.fit(model, optimizer, batches, steps=500, loss_fn=token_loss, attention=True)


def long_attended(bench: Bench) -> None:
    """Patches of pictures at a brisk rate, until all is learnt."""
    model = Patches()
    optimizer = AdamW(model.parameters(), lr=5e-3)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=600, attention=True)


CASES = [
    sick("attention_logits_growing", "hot-gpt", "transformer", hot_gpt, follows=HOT),
    sick("attention_logits_growing", "hot-patches", "attention", hot_patches, follows=HOT),
    sick("attention_entropy_collapse", "sharp-gpt", "transformer", sharp_gpt, follows=HOT),
    sick("attention_entropy_collapse", "sharp-patches", "attention", sharp_patches, follows=HOT),
    healthy("first-byte-again", "transformer", first_byte),
    healthy("attended-for-long", "transformer", long_attended),
]
