"""A small GPT learns to write Python, character by character, from the standard library's own sources: healthy."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainvitals.demo.training import begin, end, options, prepare

CHARACTERS = 128  # ASCII
TEXT_BYTES = 2_000_000
HELD_OUT = 0.1  # share of the text that is kept for validation
CONTEXT = 64  # characters
WIDTH = 64
HEADS = 4
BLOCKS = 4
BATCH = 16
LEARNING_RATE = 1e-3
WARMUP_STEPS = 50
FINAL_SHARE = 0.2  # of the learning rate, at the last step
EXCERPTS = 4  # that are shown to the net again and again, to look inside
VALIDATION_EVERY = 50  # steps


def standard_library_text() -> Tensor:
    """The first two megabytes of the standard library's sources: int64 [characters]."""
    pieces: list[bytes] = []
    size = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        pieces.append(bytes(byte for byte in path.read_bytes() if byte < CHARACTERS))
        size += len(pieces[-1])
        if size >= TEXT_BYTES:
            break
    return torch.frombuffer(bytearray(b"".join(pieces)), dtype=torch.uint8).long()


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, context, width] to the same."""
        batch, context, _ = x.shape
        query, key, value = self.qkv(x).view(batch, context, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        attended: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, context, WIDTH))
        return attended


class Block(nn.Module):
    """A transformer block, normalised before each half."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(WIDTH)
        self.attn = Attention()
        self.ln2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, context, width] to the same."""
        x = x + self.attn(self.ln1(x))
        raised: Tensor = x + self.mlp(self.ln2(x))
        return raised


class GPT(nn.Module):
    """Characters in, logits of the next character out."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(CHARACTERS, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CHARACTERS)
        self.apply(_initialise)

    def forward(self, tokens: Tensor) -> Tensor:
        """Int64 [batch, context] to float32 [batch, context, characters]."""
        positions = torch.arange(tokens.shape[1])
        logits: Tensor = self.head(self.norm(self.blocks(self.token(tokens) + self.position(positions))))
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.08)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def batch_of(text: Tensor) -> tuple[Tensor, Tensor]:
    """Random excerpts and the same one character on: int64 [batch, context] each."""
    starts = torch.randint(len(text) - CONTEXT - 1, (BATCH, 1))
    excerpts = text[starts + torch.arange(CONTEXT + 1)]
    return excerpts[:, :-1], excerpts[:, 1:]


def loss_of(model: nn.Module, text: Tensor) -> Tensor:
    """Cross-entropy on one random batch, in nats a character."""
    tokens, following = batch_of(text)
    return functional.cross_entropy(model(tokens).flatten(0, 1), following.flatten())


def pace(step: int, *, steps: int) -> float:
    """Factor of the learning rate: linear warm-up, then a straight line down to ``FINAL_SHARE``."""
    return min((step + 1) / WARMUP_STEPS, 1 - (1 - FINAL_SHARE) * step / steps)


def main() -> None:
    """Train; the SDK needs six lines of it."""
    chosen = options(__doc__ or "", steps=1600)
    prepare(chosen)
    text = standard_library_text()
    split = int(len(text) * (1 - HELD_OUT))
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: pace(step, steps=chosen.steps))
    run = begin("gpt-stdlib", chosen, config={"lr": LEARNING_RATE, "blocks": BLOCKS, "width": WIDTH, "batch": BATCH})
    run.watch(model, optimizer)
    run.probe(text[split : split + EXCERPTS * CONTEXT].view(EXCERPTS, CONTEXT))
    for step in range(chosen.steps):
        loss = loss_of(model, text[:split])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        run.log({"loss": loss})
        if step % VALIDATION_EVERY == VALIDATION_EVERY - 1:
            with torch.no_grad():
                run.log({"val_loss": loss_of(model, text[split:])})
    end(run, chosen, logged=chosen.steps)


if __name__ == "__main__":
    main()
