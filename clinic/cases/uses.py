"""What a network, a batch or a vocabulary has, and hardly uses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Bench
from clinic.case import healthy, sick
from clinic.cases.generalisation import validation
from clinic.cases.task import changed
from clinic.material import Data, digits, text, token_loss
from clinic.networks import GPT, RNN, cnn, mlp

RESTS = ("loss_plateau",)
UNKNOWN = (*RESTS, "class_collapse")
NOISY = ("loss_oscillating", "loss_plateau", "loss_not_decreasing")


def fitted(bench: Bench, model: nn.Module, data: Data, *, rate: float = 3e-3, steps: int = 1500) -> None:
    """Trained by Adam, and validated."""
    evaluate = validation(model, data, nn.functional.cross_entropy)
    optimizer = Adam(model.parameters(), lr=rate)
    bench.fit(model, optimizer, data.batches(seed=bench.seed), steps=steps, validate=evaluate, validate_every=25)


def narrow(bench: Bench) -> None:
    """Ten classes through two units."""
    fitted(bench, mlp((64, 2, 10), activation=nn.GELU), digits(), rate=1e-2, steps=2000)


def blind_to_most(bench: Bench) -> None:
    """Digits told from the pixels of one column."""
    whole = digits()
    few = Data(inputs=whole.inputs[:, 3::8].contiguous(), targets=whole.targets)
    fitted(bench, mlp((8, 16, 10)), few, rate=1e-2, steps=2000)


def few_filters(bench: Bench) -> None:
    """Eight filters, averaged over the whole picture."""
    model = nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
    )
    fitted(bench, model, digits(), rate=5e-2, steps=2000)


def pairs(bench: Bench, model: nn.Module, *, rate: float) -> None:
    """Trained on two examples at a time; the last of an epoch would be alone, which batch norm refuses."""
    data = digits()
    even = Data(inputs=data.inputs[:1790], targets=data.targets[:1790])
    evaluate = validation(model, even, nn.functional.cross_entropy)
    optimizer = SGD(model.parameters(), lr=rate)
    bench.fit(model, optimizer, even.batches(2, seed=bench.seed), steps=800, validate=evaluate, validate_every=100)


def pairs_for_features(bench: Bench) -> None:
    """Batch norm over two rows."""
    pairs(bench, mlp((64, 64, 64, 10), norm=nn.BatchNorm1d), rate=0.02)


def pairs_for_pictures(bench: Bench) -> None:
    """Batch norm over two pictures."""
    pairs(bench, cnn(), rate=0.02)


def tokens(bench: Bench, model: nn.Module, change: Callable[[Tensor], Tensor], *, steps: int = 500) -> None:
    """A language model, to which ids are given changed."""
    batches = changed(text().batches(16, seed=bench.seed), lambda ids, following: (change(ids), following))
    bench.fit(model, AdamW(model.parameters(), lr=2e-3, weight_decay=0.0), batches, steps=steps, loss_fn=token_loss)


def mostly_unknown(ids: Tensor) -> Tensor:
    """Ids of which all but a few are "unknown"."""
    return torch.where((ids == 32) | (ids == 10), ids, 0)


class Bag(nn.Module):
    """Bytes in, logits of the next byte out, from the mean of the bytes so far."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.body = nn.Embedding(128, 32), mlp((32, 64, 128))

    def forward(self, ids: Tensor) -> Tensor:
        """[n, length] to [n, length, 128]."""
        count = torch.arange(1, ids.shape[1] + 1).unsqueeze(-1)
        return self.body(self.token(ids).cumsum(1) / count)  # type: ignore[no-any-return]  # torch types no call


def unknown_in_a_bag(bench: Bench) -> None:
    """A tokeniser that knows spaces and ends of lines."""
    tokens(bench, Bag(), mostly_unknown)


def unknown_in_a_sequence(bench: Bench) -> None:
    """The same before a recurrent layer."""
    tokens(bench, RNN(width=48), mostly_unknown)


def clamped(bench: Bench) -> None:
    """Ids cut to those under three, before attention."""
    tokens(bench, GPT(), lambda ids: ids.clamp(max=2))


class Experts(nn.Module):
    """Each row goes to the expert that a router likes best; ``loud``: times its usual size that the router begins with,
    ``balance``: the weight of the loss that spreads the rows."""

    def __init__(self, *, width: int = 48, count: int = 8, loud: float = 1.0, balance: float = 0.0) -> None:
        super().__init__()
        self.router = nn.Linear(width, count)
        self.experts = nn.ModuleList(mlp((width, width, width)) for _ in range(count))
        self.balance, self.price = balance, torch.zeros(())
        nn.init.normal_(self.router.bias, std=loud)

    def forward(self, rows: Tensor) -> Tensor:
        """[n, width] to the same."""
        shares = self.router(rows).softmax(-1)
        weight, chosen = shares.max(-1)
        used = nn.functional.one_hot(chosen, len(self.experts)).float().mean(0)
        self.price = self.balance * len(self.experts) * (used * shares.mean(0)).sum()
        answer = torch.zeros_like(rows)
        for number, expert in enumerate(self.experts):
            places = (chosen == number).nonzero().squeeze(-1)
            if len(places):
                answer = answer.index_add(0, places, weight[places, None] * expert(rows[places]))
        return rows + answer


def of_experts(bench: Bench, stem: nn.Module, experts: Experts, *, steps: int = 600) -> None:
    """Digits through a stem, experts and a head."""
    model = nn.Sequential(stem, experts, nn.Linear(48, 10))

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, labels) + experts.price

    batches = digits().batches(seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=steps, loss_fn=loss)


def convolutional_stem() -> nn.Sequential:
    """64 pixels to 48 features."""
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 12, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten()),
    )


def favourites(bench: Bench) -> None:
    """A router that begins with favourites, and nothing that spreads the load."""
    of_experts(bench, mlp((64, 48)), Experts(loud=6.0))


def favourites_among_sixteen(bench: Bench) -> None:
    """The same with sixteen experts."""
    of_experts(bench, mlp((64, 96, 48)), Experts(count=16, loud=8.0))


def favourites_behind_convolutions(bench: Bench) -> None:
    """The same behind convolutions."""
    of_experts(bench, convolutional_stem(), Experts(loud=8.0))


def balanced(bench: Bench) -> None:
    """Four experts, and a loss that spreads the load."""
    of_experts(bench, mlp((64, 48)), Experts(count=4, balance=0.1))


def eight_at_a_time(bench: Bench) -> None:
    """Batch norm over eight pictures."""
    data = digits()
    model = cnn()
    even = Data(inputs=data.inputs[:1790], targets=data.targets[:1790])
    bench.fit(model, SGD(model.parameters(), lr=0.02), even.batches(8, seed=bench.seed), steps=600)


def known_words(bench: Bench) -> None:
    """A vocabulary of 128 bytes, of which the text uses two thirds."""
    tokens(bench, Bag(), lambda ids: ids, steps=600)


CASES = [
    sick("underfitting", "two-units", "mlp", narrow, follows=RESTS),
    sick("underfitting", "one-column", "mlp", blind_to_most, follows=RESTS),
    sick("underfitting", "few-filters", "convolutional", few_filters, follows=RESTS),
    sick("batch_too_small", "two-rows", "mlp", pairs_for_features, follows=NOISY),
    sick("batch_too_small", "two-pictures", "convolutional", pairs_for_pictures, follows=NOISY),
    sick("embedding_rows_unused", "bag", "bag", unknown_in_a_bag, follows=UNKNOWN),
    sick("embedding_rows_unused", "sequence", "recurrent", unknown_in_a_sequence, follows=UNKNOWN),
    sick("embedding_rows_unused", "clamped", "attention", clamped, follows=UNKNOWN),
    sick("expert_imbalance", "favourites", "mlp", favourites),
    sick("expert_imbalance", "sixteen", "mlp", favourites_among_sixteen),
    sick("expert_imbalance", "behind-convolutions", "convolutional", favourites_behind_convolutions),
    healthy("balanced-experts", "mlp", balanced),
    healthy("batch-norm-of-eight", "convolutional", eight_at_a_time),
    healthy("bytes-that-come-up", "bag", known_words),
]
