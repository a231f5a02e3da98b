"""What Adam knows of the gradients' size: an ε that is larger than they are, and gradients that run away from it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer, RMSprop

from clinic.bench import Bench
from clinic.case import healthy, sick
from clinic.material import cancer, digits, text, token_loss
from clinic.networks import GPT, RNN, mlp, residual_net

SLOW = ("updates_too_small", "learning_rate_too_low", "loss_not_decreasing", "labels_shuffled", "class_collapse")
JUMPED_AT = 200
THROWN = ("loss_spike", "loss_diverging", "exploding_gradients", "updates_too_large", "learning_rate_too_high",
          "loss_not_decreasing", "dead_activations", "layer_not_learning")  # fmt: skip


def epsilon_of_one(bench: Bench) -> None:
    """An ε of 1, as an old recipe for RMSprop has it, at Adam's usual rate."""
    model = mlp()
    bench.fit(model, Adam(model.parameters(), lr=1e-3, eps=1.0), digits().batches(seed=bench.seed), steps=1000)


def loss_divided_twice(bench: Bench) -> None:
    """A loss divided by the number of examples and of steps: Adam would not mind, if it were not for its ε."""
    model = mlp((30, 64, 64, 2), activation=nn.GELU)

    def small(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets) * 1e-9

    batches = cancer().batches(32, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=1000, loss_fn=small)


def epsilon_of_one_in_a_gpt(bench: Bench) -> None:
    """AdamW with an ε of 1."""
    model = GPT()
    optimizer = AdamW(model.parameters(), lr=1e-3, eps=1.0)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=token_loss)


def epsilon_of_one_in_a_recurrent_net(bench: Bench) -> None:
    """RMSprop with an ε of 1, and a rate that does not fit it."""
    model = RNN(nn.GRU)
    optimizer = RMSprop(model.parameters(), lr=1e-3, eps=1.0)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=300, loss_fn=token_loss)


def raised_on_purpose(bench: Bench) -> None:
    """An ε of 1e-3 and a rate to fit, as recipes for pictures have it."""
    model = mlp()
    bench.fit(model, Adam(model.parameters(), lr=1e-2, eps=1e-3), digits().batches(seed=bench.seed), steps=500)


def by_heart(bench: Bench) -> None:
    """A batch learnt by heart, with the ε of reinforcement learning: in the end all gradients are smaller."""
    model = mlp((64, 128, 10))
    batch = next(digits().batches(16, seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=3e-3, eps=1e-5), iter(lambda: batch, None), steps=500)


class Pairs(nn.Module):
    """Embeds pairs of bytes in 2,000 rows, most of which no batch has."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.head = nn.Embedding(2000, 16), nn.Linear(16, 128)

    def forward(self, tokens: Tensor) -> Tensor:
        """[n, length] to [n, length, 128]."""
        return self.head(self.rows((tokens * 13 + tokens.roll(1, 1)) % 2000))  # type: ignore[no-any-return]  # torch types no call


def rare_rows(bench: Bench) -> None:
    """Rows without a second moment, as they have never had a gradient; those that come now and then outrun theirs."""
    model = Pairs()
    optimizer = AdamW(model.parameters(), lr=5e-3)
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=400, loss_fn=token_loss, every=2)


def jumping(optimizer: Optimizer, *, at: int, times: float = 100.0) -> Callable[[int], None]:
    """From a step on, gradients of a loss that weighs so much more; what is logged knows nothing of it."""

    def jump(step: int) -> None:
        for weight in [one for group in optimizer.param_groups for one in group["params"]] if step >= at else ():
            weight.grad *= times

    return jump


def reweighted(bench: Bench) -> None:
    """A loss that weighs a hundred times as much from one step to the next: Adam learns of it in a thousand steps."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=2e-2)
    batches = digits().batches(128, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=300, before_step=jumping(optimizer, at=JUMPED_AT), every=2)


def reweighted_residuals(bench: Bench) -> None:
    """The same in residual blocks."""
    model = residual_net(depth=3)
    optimizer = Adam(model.parameters(), lr=1e-2)
    batches = digits().batches(128, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=300, before_step=jumping(optimizer, at=JUMPED_AT), every=2)


def reweighted_gently(bench: Bench) -> None:
    """The same jump, at a rate that bears it."""
    model = mlp()
    optimizer = Adam(model.parameters(), lr=5e-4, betas=(0.9, 0.95))
    batches = digits().batches(128, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=300, before_step=jumping(optimizer, at=JUMPED_AT), every=2)


CASES = [
    sick("epsilon_dominating", "epsilon-of-one", "mlp", epsilon_of_one, follows=SLOW),
    sick("epsilon_dominating", "loss-divided-twice", "mlp", loss_divided_twice, follows=SLOW),
    sick("epsilon_dominating", "epsilon-of-one-in-a-gpt", "attention", epsilon_of_one_in_a_gpt, follows=SLOW),
    sick("epsilon_dominating", "epsilon-of-one-in-a-recurrent-net", "recurrent", epsilon_of_one_in_a_recurrent_net,
         follows=SLOW),
    sick("adam_rms_high", "reweighted", "mlp", reweighted, follows=THROWN, onset=JUMPED_AT),
    sick("adam_rms_high", "reweighted-residuals", "residual", reweighted_residuals, follows=THROWN, onset=JUMPED_AT),
    healthy("reweighted-gently", "mlp", reweighted_gently),
    healthy("epsilon-raised-on-purpose", "mlp", raised_on_purpose),
    healthy("epsilon-and-a-batch-by-heart", "mlp", by_heart),
    healthy("epsilon-and-rare-rows", "embedding", rare_rows),
]  # fmt: skip
