"""Healthy trainings whose losses do not behave like those of a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Batches, Bench
from clinic.case import healthy
from clinic.cases.healthy_structures import validation
from clinic.material import cancer, diabetes, digits, text, token_loss, wine
from clinic.networks import GPT, autoencoder, cnn, mlp, residual_net


def gan(bench: Bench) -> None:
    """A generator against a discriminator on two numbers: neither loss falls, and both hover."""
    generator, discriminator = mlp((4, 32, 32, 2)), mlp((2, 32, 32, 1), activation=nn.LeakyReLU)
    optimizers = [
        Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.9)),
        Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9)),
    ]
    bench.run.watch({"generator": generator, "discriminator": discriminator}, optimizers)
    criterion = nn.BCEWithLogitsLoss()
    for _ in range(500):
        angle = torch.rand(64, 1) * 6.28
        real, fake = torch.cat([angle.cos(), angle.sin()], 1), generator(torch.randn(64, 4))
        loss = criterion(discriminator(real), torch.ones(64, 1)) + criterion(
            discriminator(fake.detach()), torch.zeros(64, 1)
        )
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        deception = criterion(discriminator(fake), torch.ones(64, 1))
        optimizers[1].zero_grad()
        deception.backward()
        optimizers[1].step()
        bench.run.log({"loss_discriminator": loss, "loss_generator": deception})


def reinforce(bench: Bench) -> None:
    """A bandit of eight arms for 16 kinds of customers: the loss is no measure of anything, the reward rises."""
    policy = mlp((16, 32, 8))
    optimizer = Adam(policy.parameters(), lr=3e-3)
    bench.run.watch(policy, optimizer)
    best = torch.randint(0, 8, (16,))
    baseline = 0.0
    for _ in range(700):
        customers = torch.randint(0, 16, (64,))
        choice = torch.distributions.Categorical(logits=policy(nn.functional.one_hot(customers, 16).float()))
        arms = choice.sample()
        reward = (arms == best[customers]).float() + 0.3 * torch.randn(64)
        loss = -(choice.log_prob(arms) * (reward - baseline)).mean()
        baseline = 0.9 * baseline + 0.1 * reward.mean().item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bench.run.log({"loss": loss, "reward": reward.mean()})


def contrastive(bench: Bench) -> None:
    """Two views of a picture find each other among 64: the loss begins at log 64, not at log 10."""
    encoder = mlp((64, 128, 32))
    optimizer = AdamW(encoder.parameters(), lr=1e-3)
    batches = digits().batches(64, seed=bench.seed)
    bench.run.watch(encoder, optimizer)
    for _ in range(400):
        pictures, _ = next(batches)
        one, two = (
            nn.functional.normalize(encoder(pictures + 0.3 * torch.randn_like(pictures)), dim=1) for _ in range(2)
        )
        loss = nn.functional.cross_entropy(one @ two.T / 0.2, torch.arange(len(one)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bench.run.log({"loss": loss})


def reconstruction(bench: Bench) -> None:
    """Pictures through a bottleneck of eight numbers."""
    model = autoencoder()
    batches = ((inputs, inputs) for inputs, _ in digits().batches(seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=500, loss_fn=nn.functional.mse_loss)


def by_heart(bench: Bench) -> None:
    """One batch, learnt by heart on purpose: the loss goes to zero, the same batch comes every time."""
    model = mlp((64, 128, 10))
    batch = next(digits().batches(16, seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), iter(lambda: batch, None), steps=400)


def little_and_noisy(bench: Bench) -> None:
    """178 wines with 15 % of the labels wrong, in batches of eight."""
    data = wine()
    wrong = torch.rand(len(data.targets)) < 0.15
    data.targets[wrong] = torch.randint(0, 3, (int(wrong.sum()),))
    model = mlp((13, 32, 3), dropout=0.2)
    bench.fit(model, AdamW(model.parameters(), lr=1e-3, weight_decay=0.05), data.batches(8, seed=bench.seed), steps=600)


def plateau_before_a_drop(bench: Bench) -> None:
    """The parity of three bits among eight: the loss rests at log 2 for long, and then it falls."""
    model = mlp((8, 64, 2))

    def batches() -> Batches:
        while True:
            bits = torch.randint(0, 2, (64, 8))
            yield bits.float() * 2 - 1, bits[:, :3].sum(1) % 2

    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches(), steps=1500)


def large_targets(bench: Bench) -> None:
    """A regression on a target of hundreds, whose first loss is in the ten thousands."""
    model = mlp((10, 64, 64, 1))
    data = diabetes(raw=True)
    bench.fit(
        model, Adam(model.parameters(), lr=1e-2), data.batches(32, seed=bench.seed), steps=600,
        loss_fn=nn.functional.mse_loss,
    )  # fmt: skip


def noisy_regression(bench: Bench) -> None:
    """A regression of which half can be explained: the loss soon rests at its floor, far from zero."""
    model = mlp((10, 32, 1))
    bench.fit(
        model, AdamW(model.parameters(), lr=1e-3, weight_decay=0.1), diabetes().batches(32, seed=bench.seed),
        steps=500, loss_fn=nn.functional.mse_loss,
    )  # fmt: skip


def smoothed_labels(bench: Bench) -> None:
    """With label smoothing the least loss is far from zero."""
    model = residual_net(depth=3)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.2)
    bench.fit(
        model, AdamW(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=500, loss_fn=criterion
    )


def weighted_classes(bench: Bench) -> None:
    """Few tumours of one kind, weighted up."""
    model = mlp((30, 32, 2))
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([5.0, 1.0]))
    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), cancer().batches(32, seed=bench.seed), steps=400, loss_fn=criterion,
        validate=lambda: validation(model, cancer()), validate_every=40,
    )  # fmt: skip


def negative_likelihood(bench: Bench) -> None:
    """A Gaussian's likelihood: the loss falls below zero, and goes on."""
    model = mlp((64, 64, 64, 2))

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.gaussian_nll_loss(outputs[:, :1], targets, outputs[:, 1:].exp())

    batches = ((inputs, inputs[:, 20:21]) for inputs, _ in digits().batches(seed=bench.seed))
    bench.fit(model, Adam(model.parameters(), lr=1e-3), batches, steps=500, loss_fn=loss_fn)


def many_labels(bench: Bench) -> None:
    """Ten questions with yes or no at once: ten binary losses, of which nine in ten targets are no."""
    model = cnn()

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, nn.functional.one_hot(targets, 10).float())

    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=300, loss_fn=loss_fn)


def first_learns_the_frequent(bench: Bench) -> None:
    """A GPT that first learns how often each byte comes: the loss rests there before it falls on."""
    model = GPT(width=32)
    optimizer = AdamW(model.parameters(), lr=6e-4)
    bench.fit(model, optimizer, text().batches(32, seed=bench.seed), steps=600, loss_fn=token_loss)


def penalised(bench: Bench) -> None:
    """Data loss and penalty apart, both logged, the penalty small."""
    model = autoencoder(activation=nn.Tanh)
    optimizer = SGD(model.parameters(), lr=0.5, momentum=0.9)
    bench.run.watch(model, optimizer)
    batches = digits().batches(seed=bench.seed)
    for _ in range(500):
        inputs, _ = next(batches)
        data = nn.functional.mse_loss(model(inputs), inputs)
        penalty = 1e-5 * sum((parameter.square().sum() for parameter in model.parameters()), torch.zeros(()))
        loss = data + penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bench.run.log({"loss": loss, "loss/data": data, "loss/regularisation": penalty})


CASES = [
    healthy("gan", "gan", gan),
    healthy("reinforce", "mlp", reinforce),
    healthy("contrastive", "mlp", contrastive),
    healthy("reconstruction", "autoencoder", reconstruction),
    healthy("by-heart", "mlp", by_heart),
    healthy("little-and-noisy", "mlp", little_and_noisy),
    healthy("plateau-before-a-drop", "mlp", plateau_before_a_drop),
    healthy("large-targets", "mlp", large_targets),
    healthy("noisy-regression", "mlp", noisy_regression),
    healthy("smoothed-labels", "residual", smoothed_labels),
    healthy("weighted-classes", "mlp", weighted_classes),
    healthy("negative-likelihood", "mlp", negative_likelihood),
    healthy("many-labels", "convolutional", many_labels),
    healthy("first-learns-the-frequent", "transformer", first_learns_the_frequent),
    healthy("penalised", "autoencoder", penalised),
]
