"""Networks that call their activations as functions, as most that are published do: no layer tells of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam

from clinic.bench import Bench
from clinic.case import healthy, sick
from clinic.cases.inside import LARGE, STUCK, drawn
from clinic.cases.updates import KILLED
from clinic.material import cancer, digits, text, token_loss
from clinic.networks import VOCABULARY

Activation = Callable[[Tensor], Tensor]


class Perceptron(nn.Module):
    """Three layers, given [n, size]."""

    def __init__(self, activation: Activation, *, size: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.activation = activation
        self.fc1, self.fc2, self.fc3 = nn.Linear(size, 64), nn.Linear(64, 64), nn.Linear(64, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        hidden = self.activation(self.fc1(inputs))
        return self.fc3(self.activation(self.fc2(hidden)))  # type: ignore[no-any-return]  # torch types no call


class Pictures(nn.Module):
    """Two convolutions and two layers, given pictures of 8 × 8 as [n, 64]."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        hidden = self.activation(functional.max_pool2d(self.conv1(inputs.view(-1, 1, 8, 8)), 2))
        hidden = self.activation(functional.max_pool2d(self.conv2(hidden), 2)).flatten(1)
        hidden = functional.dropout(self.activation(self.fc1(hidden)), 0.2, training=self.training)
        return self.fc2(hidden)  # type: ignore[no-any-return]  # torch types no call


class Gated(nn.Module):
    """An LSTM written out by hand, a layer to a gate, whose gates of forgetting begin wide open. Bytes in, logits of
    the next byte out."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.token, self.head = nn.Embedding(VOCABULARY, 32), nn.Linear(width, VOCABULARY)
        self.give, self.keep, self.show, self.new = (nn.Linear(32 + width, width) for _ in range(4))
        nn.init.constant_(self.keep.bias, 5.0)
        nn.init.constant_(self.give.bias, -5.0)
        self.width = width

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        state = cell = torch.zeros(len(tokens), self.width)
        states = []
        for token in self.token(tokens).unbind(1):
            both = torch.cat([token, state], 1)
            keep, give, show = (torch.sigmoid(gate(both)) for gate in (self.keep, self.give, self.show))
            cell = keep * cell + give * torch.tanh(self.new(both))
            state = show * torch.tanh(cell)
            states.append(state)
        return self.head(torch.stack(states, 1))  # type: ignore[no-any-return]  # torch types no call


def quick_gelu(inputs: Tensor) -> Tensor:
    """Of CLIP (Radford et al., 2021)."""
    return inputs * torch.sigmoid(1.702 * inputs)


def biases_far_below_zero(bench: Bench) -> None:
    """Biases of hidden layers are drawn at -5."""
    model = Perceptron(torch.nn.functional.relu, size=30, classes=2)
    for layer in (model.fc1, model.fc2):
        nn.init.constant_(layer.bias, -5.0)
    bench.fit(model, SGD(model.parameters(), lr=0.05), cancer().batches(32, seed=bench.seed), steps=600)


def huge_steps(bench: Bench) -> None:
    """Adam with a learning rate of 1."""
    model = Pictures(functional.relu)
    bench.fit(model, Adam(model.parameters(), lr=1.0), digits().batches(seed=bench.seed), steps=400)


def wide_tanh(bench: Bench) -> None:
    """Tanh, and weights drawn with a standard deviation of 1."""
    model = drawn(Perceptron(functional.tanh), 1.0)
    bench.fit(model, SGD(model.parameters(), lr=0.001), digits().batches(seed=bench.seed), steps=600)


def wide_convolutions(bench: Bench) -> None:
    """The same behind convolutions."""
    model = drawn(Pictures(functional.tanh), 1.0)
    bench.fit(model, SGD(model.parameters(), lr=0.001), digits().batches(seed=bench.seed), steps=400)


def rectified_pictures(bench: Bench) -> None:
    """The net of PyTorch's own first example."""
    model = Pictures(functional.relu)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def squashed(bench: Bench) -> None:
    """Sigmoids that learn."""
    model = Perceptron(functional.sigmoid)
    bench.fit(model, Adam(model.parameters(), lr=3e-3), digits().batches(seed=bench.seed), steps=500)


def gates_by_hand(bench: Bench) -> None:
    """Gates that are shut, or wide open, on purpose."""
    model = Gated()
    batches = text().batches(16, seed=bench.seed)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=300, loss_fn=token_loss)


def large_quick_gelu(bench: Bench) -> None:
    """A GELU by a sigmoid, into which large numbers go."""
    model = Perceptron(quick_gelu)
    nn.init.normal_(model.fc2.weight, std=0.5)
    bench.fit(model, Adam(model.parameters(), lr=1e-4), digits().batches(seed=bench.seed), steps=500)


CASES = [
    sick("dead_activations", "called-with-low-biases", "mlp", biases_far_below_zero, follows=KILLED),
    sick(
        "dead_activations",
        "called-in-huge-steps",
        "convolutional",
        huge_steps,
        follows=(*KILLED, "learning_rate_too_high"),
    ),
    sick("saturated_activations", "called-tanh", "mlp", wide_tanh, follows=(*STUCK, *LARGE)),
    sick("saturated_activations", "called-convolutions", "convolutional", wide_convolutions, follows=(*STUCK, *LARGE)),
    healthy("called-relu", "convolutional", rectified_pictures),
    healthy("called-sigmoid", "mlp", squashed),
    healthy("gates-by-hand", "recurrent", gates_by_hand),
    healthy("quick-gelu", "mlp", large_quick_gelu),
]
