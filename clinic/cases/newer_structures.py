"""Healthy trainings of networks that no rule was tuned by: frozen, thawed, averaged, scaled and saved."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, AdamW
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from clinic.bench import Batches, Bench, Loss
from clinic.case import healthy
from clinic.cases.generalisation import validation
from clinic.cases.newer_losses import stepped
from clinic.cases.newer_steps import among_the_batch
from clinic.cases.task import changed
from clinic.cases.uses import Experts, of_experts
from clinic.made_material import kinship
from clinic.material import digits, text, token_loss
from clinic.networks import mlp
from clinic.newer_networks import DepthwiseBlock, Gated, Mixer, OfNeighbours, TwoTowers, depthwise

TRAINED_ON = 300  # nodes of the graph; the others are for validation


def pretrain(model: nn.Module, batches: Batches, loss_fn: Loss, *, steps: int = 200) -> None:
    """A training that nobody watches."""
    optimizer = AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        inputs, targets = next(batches)
        stepped(optimizer, loss_fn(model(inputs), targets))


class InBrainFloats(nn.Module):
    """A model under autocast to bfloat16, its answers in single precision."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        """What the model makes of it."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.inner(inputs).float()  # type: ignore[no-any-return]  # torch types no call


def brain_floats_of_a_gated_net(bench: Bench) -> None:
    """Autocast to bfloat16 around the forward, warm-up, clipping."""
    model = InBrainFloats(Gated())
    optimizer = AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95))
    bench.fit(model, optimizer, text().batches(16, seed=bench.seed), steps=150, loss_fn=token_loss, clip=1.0)


def left_out_branches(bench: Bench) -> None:
    """Stochastic depth, and what is validated is an average of the weights that follows them."""
    model, data = Mixer(depth=4, skip=0.2), digits()
    follower = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    bench.fit(
        model, AdamW(model.parameters(), lr=2e-3), data.batches(32, seed=bench.seed), steps=500,
        after_step=lambda step: follower.update_parameters(model),
        validate=validation(follower, data, functional.cross_entropy), validate_every=45,
    )  # fmt: skip


def scaled_layers(bench: Bench) -> None:
    """Branches that begin at a hundred-thousandth, as a ConvNeXt has it."""
    model = depthwise(depth=3, scale=1e-5)
    optimizer = AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=500)


def new_head(bench: Bench) -> None:
    """A frozen backbone that was trained on the lower digits, and a new head for all of them."""
    lower = changed(digits().batches(seed=97), lambda x, y: (x[y < 5], y[y < 5]))
    model = depthwise()
    pretrain(model, lower, functional.cross_entropy)
    model.requires_grad_(False)
    head = nn.Linear(96, 10)
    model[-1] = head
    bench.fit(model, Adam(head.parameters(), lr=5e-3), digits().batches(32, seed=bench.seed), steps=400)


def one_graph(bench: Bench) -> None:
    """A whole graph in each step, the same again and again, with dropout; of the other nodes only the loss is seen."""
    neighbours, pictures, labels = kinship()
    model = OfNeighbours(neighbours, drop=0.5)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits[:TRAINED_ON], labels[:TRAINED_ON])

    def validate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            logits = model(pictures)[TRAINED_ON:]
        model.train()
        unseen = labels[TRAINED_ON:]
        return {
            "val_loss": float(functional.cross_entropy(logits, unseen)),
            "val_accuracy": float((logits.argmax(-1) == unseen).float().mean()),
        }

    optimizer = Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    bench.fit(
        model, optimizer, itertools.repeat((pictures, labels)), steps=300, loss_fn=loss, validate=validate,
        validate_every=10,
    )  # fmt: skip


def locked_tower(bench: Bench) -> None:
    """The tower of upper halves was trained before, and is frozen; the other learns to fit it (LiT)."""
    model = TwoTowers()
    tower = nn.Sequential(model.upper, nn.Linear(32, 10))
    pretrain(tower, changed(digits().batches(seed=96), lambda x, y: (x[:, :32], y)), functional.cross_entropy)
    model.upper.requires_grad_(False)
    trained = [*model.lower.parameters(), model.logit_scale]
    bench.fit(model, AdamW(trained, lr=1e-3), digits().batches(seed=bench.seed), steps=500, loss_fn=among_the_batch)


class Bootstrap(nn.Module):
    """A net that foretells what a slowly following copy of it makes of another view (BYOL, Grill et al., 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.online = mlp((64, 96, 32), norm=nn.BatchNorm1d)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.foretell = mlp((32, 64, 32), norm=nn.BatchNorm1d)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """The loss of two views, [n, 64] each."""
        with torch.no_grad():
            wanted = self.target(other)
        return 2 - 2 * functional.cosine_similarity(self.foretell(self.online(one)), wanted).mean()


def bootstrapped(bench: Bench) -> None:
    """No labels and no negatives; half of the net is without gradients on purpose."""
    model = Bootstrap()
    optimizer = AdamW([*model.online.parameters(), *model.foretell.parameters()], lr=1e-3)
    bench.run.watch(model, optimizer)
    batches = digits().batches(seed=bench.seed)
    for _ in range(450):
        pictures, _ = next(batches)
        loss = model(*(pictures + 0.2 * torch.randn_like(pictures) for _ in range(2)))
        stepped(optimizer, loss)
        with torch.no_grad():
            for follower, value in zip(model.target.parameters(), model.online.parameters(), strict=True):
                follower.lerp_(value, 0.02)
        bench.run.log({"loss": loss})


def balanced_behind_depthwise(bench: Bench) -> None:
    """Four experts behind depthwise convolutions, and a loss that spreads the load."""
    stem = nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 12, 2, stride=2)),
        *(DepthwiseBlock(12, norm=nn.GroupNorm(1, 12), scale=1.0), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
    )
    of_experts(bench, stem, Experts(count=4, balance=0.1), steps=500)


CASES = [
    healthy("brain-floats-of-a-gated-net", "gated", brain_floats_of_a_gated_net),
    healthy("left-out-branches", "mixer", left_out_branches),
    healthy("scaled-layers", "depthwise", scaled_layers),
    healthy("new-head", "depthwise", new_head),
    healthy("balanced-behind-depthwise", "depthwise", balanced_behind_depthwise),
    healthy("one-graph", "graph", one_graph),
    healthy("locked-tower", "two-tower", locked_tower),
    healthy("bootstrapped", "two-tower", bootstrapped),
]
