"""Healthy trainings of networks that no rule was tuned by: losses that do not behave like those of a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer, SparseAdam

from clinic.bench import Batches, Bench
from clinic.case import healthy
from clinic.cases.generalisation import validation
from clinic.cases.newer_steps import among_the_batch
from clinic.cases.task import changed
from clinic.made_material import kinship, shapes, waves
from clinic.material import CONTEXT, digits, text, token_loss
from clinic.networks import VOCABULARY, mlp
from clinic.newer_networks import Gated, Mixer, OfNeighbours, OfPoints, TwoTowers, UNet, depthwise, temporal


def stepped(optimizer: Optimizer, loss: Tensor) -> None:
    """One step of an optimizer."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def answers_alone(bench: Bench) -> None:
    """Only the last quarter of each piece is learnt, as of a chat only the answers are."""
    model = Gated()
    asked = torch.arange(CONTEXT) < CONTEXT * 3 // 4
    batches = changed(text().batches(16, seed=bench.seed), lambda x, y: (x, y.masked_fill(asked, -100)))
    bench.fit(model, AdamW(model.parameters(), lr=3e-3), batches, steps=300, loss_fn=token_loss, clip=1.0)


def two_bytes_ahead(bench: Bench) -> None:
    """The next byte and the one after, the second for a third of the loss; all three are logged."""
    model = Gated(outputs=2 * VOCABULARY)
    optimizer = AdamW(model.parameters(), lr=3e-3)
    bench.run.watch(model, optimizer)
    batches = text().batches(8, seed=bench.seed)
    for _ in range(250):
        inputs, targets = next(batches)
        one, two = model(inputs).chunk(2, -1)
        following, after = token_loss(one, targets), token_loss(two[:, :-1], targets[:, 1:])
        loss = following + after / 2
        stepped(optimizer, loss)
        bench.run.log({"loss": loss, "loss/next": following, "loss/after": after})


def mixed_up(bench: Bench) -> None:
    """Mixup: pictures and labels of two at a time, so that the loss rests high."""

    def mixed(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        share = torch.distributions.Beta(0.4, 0.4).sample()
        order, shares = torch.randperm(len(inputs)), functional.one_hot(labels, 10).float()
        return share * inputs + (1 - share) * inputs[order], share * shares + (1 - share) * shares[order]

    model = Mixer()
    batches = changed(digits().batches(32, seed=bench.seed), mixed)
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), batches, steps=600)


def taught(bench: Bench) -> None:
    """A small mixer learns what a trained net thinks of each picture, at a temperature of four."""
    teacher = mlp((64, 128, 10))
    batches, optimizer = digits().batches(seed=99), Adam(teacher.parameters(), lr=2e-3)
    for _ in range(300):
        inputs, labels = next(batches)
        stepped(optimizer, functional.cross_entropy(teacher(inputs), labels))
    teacher.requires_grad_(False)

    def loss(logits: Tensor, thought: Tensor) -> Tensor:
        return 16 * functional.kl_div((logits / 4).log_softmax(-1), thought, reduction="batchmean")

    model = Mixer(width=24, depth=2)
    pairs = changed(digits().batches(32, seed=bench.seed), lambda x, y: (x, (teacher(x) / 4).softmax(-1)))
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), pairs, steps=500, loss_fn=loss)


def hardest_half(bench: Bench) -> None:
    """Of each batch only the hardest half counts."""
    model = depthwise()

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        every = functional.cross_entropy(logits, labels, reduction="none")
        return every.topk(max(1, len(every) // 2)).values.mean()

    optimizer = AdamW(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, digits().batches(32, seed=bench.seed), steps=400, loss_fn=loss)


def rare_peaks(bench: Bench) -> None:
    """Which places of a wave are high, one in twenty, by a focal loss, whose numbers are small from the start."""

    def focal(logits: Tensor, targets: Tensor) -> Tensor:
        every = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return ((1 - (-every).exp()) ** 2 * every * (0.25 + 0.5 * targets)).mean()

    model = temporal(stem=nn.Linear(1, 48), outputs=1)
    batches = changed(waves().batches(32, seed=bench.seed), lambda x, y: (x, (y > 1.6).float()))
    bench.fit(model, AdamW(model.parameters(), lr=2e-3), batches, steps=500, loss_fn=focal)


def quantiles(bench: Bench) -> None:
    """The next place of a wave, and how wide a guess has to be: three quantiles at once."""
    levels = torch.tensor([0.1, 0.5, 0.9])

    def pinball(found: Tensor, targets: Tensor) -> Tensor:
        missed = targets - found
        return torch.maximum(levels * missed, (levels - 1) * missed).mean()

    model = temporal(stem=nn.Linear(1, 48), outputs=3)
    batches = waves().batches(32, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=500, loss_fn=pinball)


def noised(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures at a level of noise of their own, the level as a second channel, and the noise."""
    level = torch.rand(len(pictures), 1, 1, 1).clamp(0.02, 0.98)
    noise = torch.randn_like(pictures)
    seen = (level * torch.pi / 2).cos() * (pictures * 2 - 1) + (level * torch.pi / 2).sin() * noise
    return torch.cat([seen, level.expand_as(pictures)], 1), noise


def diffusion(bench: Bench) -> None:
    """A U-Net says what noise was added, at any level: the loss soon rests on what cannot be said."""
    model = UNet(channels=2, width=24)
    batches = changed(digits().batches(32, seed=bench.seed), lambda x, _: noised(x.view(-1, 1, 8, 8)))
    optimizer = AdamW(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, batches, steps=450, loss_fn=functional.mse_loss, clip=1.0)


def inked(bench: Bench) -> None:
    """Which pixels of a noisy picture were ink: a cross entropy, and the overlap (Dice)."""

    def loss(logits: Tensor, ink: Tensor) -> Tensor:
        found = logits.sigmoid()
        dice = 1 - (2 * (found * ink).sum((1, 2, 3)) + 1) / ((found + ink).sum((1, 2, 3)) + 1)
        return functional.binary_cross_entropy_with_logits(logits, ink) + dice.mean()

    def noisy(inputs: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        pictures = inputs.view(-1, 1, 8, 8)
        return pictures + 0.3 * torch.randn_like(pictures), (pictures > 0.7).float()

    model, batches = UNet(), changed(digits().batches(32, seed=bench.seed), noisy)
    bench.fit(model, SGD(model.parameters(), lr=0.05, momentum=0.9), batches, steps=350, loss_fn=loss)


def weighed_by_doubt(bench: Bench) -> None:
    """Two tasks at once, each weighed by a doubt that is learnt (Kendall et al., 2018): the sum falls below zero."""
    model = UNet(outputs=2)
    doubts = nn.Parameter(torch.zeros(2))
    groups = [{"params": list(model.parameters()), "lr": 2e-3}, {"params": [doubts], "lr": 1e-2}]
    optimizer = AdamW(groups)
    bench.run.watch(model, optimizer)
    batches = digits().batches(32, seed=bench.seed)
    for _ in range(400):
        pictures = next(batches)[0].view(-1, 1, 8, 8)
        clean, edges = model(pictures + 0.3 * torch.randn_like(pictures)).chunk(2, 1)
        parts = torch.stack([functional.mse_loss(clean, pictures),
                             functional.mse_loss(edges, pictures - pictures.roll(1, -1))])  # fmt: skip
        loss = ((-doubts).exp() * parts + doubts).sum()
        stepped(optimizer, loss)
        bench.run.log({"loss": loss, "task/clean": parts[0], "task/edges": parts[1]})


def variational(bench: Bench) -> None:
    """A variational autoencoder whose prior weighs more and more over 200 steps: the loss rises for a while."""
    encoder, decoder = mlp((64, 64, 16)), mlp((8, 64, 64))
    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    optimizer = Adam(model.parameters(), lr=2e-3)
    bench.run.watch(model, optimizer)
    batches = digits().batches(seed=bench.seed)
    for step in range(600):
        pictures, _ = next(batches)
        mean, log_variance = encoder(pictures).chunk(2, -1)
        code = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        missed = functional.binary_cross_entropy_with_logits(decoder(code), pictures, reduction="none").sum(-1).mean()
        prior = (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean() / 2
        loss = missed + min(1.0, step / 200) * prior
        stepped(optimizer, loss)
        bench.run.log({"loss": loss, "loss/reconstruction": missed, "loss/kl": prior})


def edges_or_none(bench: Bench) -> None:
    """Which pictures are akin, told from as many pairs that are not: pairs are drawn anew in each step."""
    neighbours, pictures, _ = kinship()
    edges = neighbours.triu(1).nonzero()
    model = OfNeighbours(neighbours, drop=0.2)

    def loss(found: Tensor, _: Tensor) -> Tensor:
        true, false = edges[torch.randint(0, len(edges), (256,))], torch.randint(0, len(pictures), (256, 2))
        pairs = torch.cat([true, false])
        alike = (found[pairs[:, 0]] * found[pairs[:, 1]]).sum(-1)
        return functional.binary_cross_entropy_with_logits(alike, (torch.arange(512) < 256).float())

    def batches() -> Batches:
        while True:
            yield pictures, pictures

    bench.fit(model, Adam(model.parameters(), lr=5e-3), batches(), steps=300, loss_fn=loss)


def triplets(bench: Bench) -> None:
    """Sets of one shape lie nearer to one another than to others, by a margin: soon most triplets ask for nothing."""

    def loss(found: Tensor, labels: Tensor) -> Tensor:
        places = functional.normalize(found, dim=-1)
        apart = torch.cdist(places, places)
        alike = labels[:, None] == labels[None]
        farthest_friend = apart.masked_fill(~alike, 0.0).amax(1)
        nearest_other = apart.masked_fill(alike, 9.0).amin(1)
        return (farthest_friend - nearest_other + 0.2).relu().mean()

    model = OfPoints(outputs=16)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), shapes().batches(32, seed=bench.seed), steps=500, loss_fn=loss)


def choice_of_shapes(bench: Bench) -> None:
    """REINFORCE: for each set one of five drawers is chosen, and the right one pays; the loss tells nothing."""
    policy = OfPoints()
    optimizer = Adam(policy.parameters(), lr=2e-3)
    bench.run.watch(policy, optimizer)
    batches, usual = shapes().batches(seed=bench.seed), 0.2
    for _ in range(600):
        points, labels = next(batches)
        choice = torch.distributions.Categorical(logits=policy(points))
        drawers = choice.sample()
        reward = (drawers == labels).float()
        loss = -(choice.log_prob(drawers) * (reward - usual)).mean() - 0.01 * choice.entropy().mean()
        usual = 0.95 * usual + 0.05 * reward.mean().item()
        stepped(optimizer, loss)
        bench.run.log({"loss": loss, "reward": reward.mean(), "entropy": choice.entropy().mean()})


def halves_that_belong(bench: Bench) -> None:
    """Two towers and a temperature that is learnt; validated among 360 halves, where chance is higher."""
    model, data = TwoTowers(), digits()
    bench.fit(
        model, AdamW(model.parameters(), lr=1e-3, weight_decay=0.2), data.batches(seed=bench.seed), steps=600,
        loss_fn=among_the_batch, validate=validation(model, data, among_the_batch), validate_every=50,
    )  # fmt: skip


def ranked_goods(bench: Bench) -> None:
    """People and goods, 400 and 600 rows with sparse gradients: what was bought ranks above what was not (BPR)."""
    tastes, kinds = torch.randn(400, 4), torch.randn(600, 4)
    bought = (tastes @ kinds.T).topk(30, -1).indices
    people, goods = nn.Embedding(400, 16, sparse=True), nn.Embedding(600, 16, sparse=True)
    for rows in (people, goods):
        nn.init.normal_(rows.weight, std=0.1)
    model = nn.ModuleDict({"people": people, "goods": goods})
    optimizer = SparseAdam(list(model.parameters()), lr=1e-2)
    bench.run.watch(model, optimizer)
    for _ in range(600):
        who = torch.randint(0, 400, (128,))
        good = bought[who, torch.randint(0, 30, (128,))]
        better = (people(who) * (goods(good) - goods(torch.randint(0, 600, (128,))))).sum(-1)
        loss = -functional.logsigmoid(better).mean()
        stepped(optimizer, loss)
        bench.run.log({"loss": loss})


CASES = [
    healthy("answers-alone", "gated", answers_alone),
    healthy("two-bytes-ahead", "gated", two_bytes_ahead),
    healthy("mixed-up", "mixer", mixed_up),
    healthy("taught", "mixer", taught),
    healthy("hardest-half", "depthwise", hardest_half),
    healthy("rare-peaks", "temporal", rare_peaks),
    healthy("quantiles", "temporal", quantiles),
    healthy("diffusion", "unet", diffusion),
    healthy("inked", "unet", inked),
    healthy("weighed-by-doubt", "unet", weighed_by_doubt),
    healthy("variational", "autoencoder", variational),
    healthy("edges-or-none", "graph", edges_or_none),
    healthy("triplets", "set", triplets),
    healthy("choice-of-shapes", "set", choice_of_shapes),
    healthy("halves-that-belong", "two-tower", halves_that_belong),
    healthy("ranked-goods", "two-tower", ranked_goods),
]
