"""Healthy trainings of networks whose layers look ill to naive rules."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from clinic.bench import Bench
from clinic.case import healthy
from clinic.material import Data, cancer, digits, text, token_loss, wine
from clinic.networks import GPT, RNN, InHalf, cnn, mlp, residual_net


def frozen_backbone(bench: Bench) -> None:
    """Only the head of a pre-trained net is trained: the rest has no gradient on purpose."""
    model = _pretrained(mlp((64, 64, 64, 10)))
    model.requires_grad_(False)
    head = model[-1].requires_grad_(True)
    nn.init.zeros_(head.get_parameter("weight"))
    bench.fit(model, Adam(head.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def fine_tuning(bench: Bench) -> None:
    """All of a pre-trained net, gently: the first loss is far under chance."""
    model = _pretrained(cnn())
    bench.fit(model, AdamW(model.parameters(), lr=1e-4), digits().batches(seed=bench.seed), steps=300)


class LoRA(nn.Module):
    """A frozen layer and a low-rank one beside it, of which B begins at zero."""

    def __init__(self, base: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_a = nn.Linear(base.in_features, rank, bias=False)
        self.lora_b = nn.Linear(rank, base.out_features, bias=False)
        nn.init.zeros_(self.lora_b.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, in] to [n, out]."""
        return self.base(inputs) + self.lora_b(self.lora_a(inputs))  # type: ignore[no-any-return]  # torch types no call


def lora(bench: Bench) -> None:
    """Adapters beside frozen layers."""
    base = _pretrained(mlp((64, 64, 64, 10)), steps=30)
    model = nn.Sequential(*(LoRA(part) if isinstance(part, nn.Linear) else part for part in base))
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    bench.fit(model, AdamW(trainable, lr=2e-3), digits().batches(seed=bench.seed), steps=400)


def zero_residual(bench: Bench) -> None:
    """Residual branches that begin at zero, as good practice has it: their first gradients are zero."""
    model = residual_net(zero=True)
    bench.fit(model, AdamW(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=400)


def sparse_rectifiers(bench: Bench) -> None:
    """ReLU layers at 60 to 90 % of zeros, by biases under zero."""
    model = mlp((64, 256, 256, 10))
    for part in list(model)[:-1]:
        if isinstance(part, nn.Linear):
            nn.init.constant_(part.bias, -0.1)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=500)


def smooth_rectifiers(bench: Bench) -> None:
    """GELU, SiLU and hard-swish have zeros, or nearly, that are not dead."""
    model = nn.Sequential(
        *(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 96), nn.Hardswish()),
        nn.Linear(96, 10),
    )
    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=500)


def rare_rows(bench: Bench) -> None:
    """An embedding of 2,000 rows of which a batch sees few, with sparse gradients."""

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Embedding(2000, 16, sparse=True)
            self.head = nn.Linear(16, 128)

        def forward(self, tokens: Tensor) -> Tensor:
            pairs = (tokens * 13 + tokens.roll(1, 1)) % 2000
            return self.head(self.rows(pairs))  # type: ignore[no-any-return]  # torch types no call

    model = Bag()
    bench.fit(
        model, SGD(model.parameters(), lr=2.0), text().batches(32, seed=bench.seed), steps=500, loss_fn=token_loss
    )


def tied_weights(bench: Bench) -> None:
    """The head of a GPT is its embedding."""
    model = GPT()
    model.head.weight = model.token.weight
    optimizer = AdamW(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, text().batches(32, seed=bench.seed), steps=400, loss_fn=token_loss)


def attended(bench: Bench) -> None:
    """A GPT of three blocks, with its attention watched."""
    model = GPT(depth=3)
    optimizer = AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    batches = text().batches(32, seed=bench.seed)
    bench.fit(model, optimizer, batches, steps=350, loss_fn=token_loss, clip=1.0, attention=True)


def dropout(bench: Bench) -> None:
    """Validation loss under training loss, as dropout has it."""
    model = mlp((64, 256, 256, 10), dropout=0.5)
    bench.fit(
        model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=600,
        validate=lambda: validation(model, digits()),
    )  # fmt: skip


def batch_norm(bench: Bench) -> None:
    """Convolutions with batch norm, evaluated now and then as it should be."""
    model = cnn()
    bench.fit(
        model, SGD(model.parameters(), lr=0.05, momentum=0.9), digits().batches(seed=bench.seed), steps=400,
        validate=lambda: validation(model, digits()), validate_every=28,
    )  # fmt: skip


def plain_rnn(bench: Bench) -> None:
    """The oldest recurrent layer there is."""
    model = RNN(nn.RNN)
    optimizer = Adam(model.parameters(), lr=2e-3)
    bench.fit(model, optimizer, text().batches(32, seed=bench.seed), steps=300, loss_fn=token_loss, clip=1.0)


def lstm(bench: Bench) -> None:
    """An LSTM, not clipped."""
    model = RNN(nn.LSTM)
    optimizer = Adam(model.parameters(), lr=5e-3)
    bench.fit(model, optimizer, text().batches(32, seed=bench.seed), steps=300, loss_fn=token_loss)


def deep_tanh(bench: Bench) -> None:
    """Six layers of tanh, drawn as they should be."""
    model = mlp((30, *([64] * 6), 2), activation=nn.Tanh)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), cancer().batches(32, seed=bench.seed), steps=400)


def eight_normalised(bench: Bench) -> None:
    """Eight layers with LayerNorm between them, on little data."""
    model = mlp((13, *([48] * 8), 3), activation=nn.GELU, norm=nn.LayerNorm)
    bench.fit(model, Adam(model.parameters(), lr=1e-3), wine().batches(16, seed=bench.seed), steps=400)


def brain_floats(bench: Bench) -> None:
    """Autocast to bfloat16, of the loss as well."""
    model = InHalf(cnn())
    model.dtype = torch.bfloat16

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return nn.functional.cross_entropy(outputs, targets)

    bench.fit(model, Adam(model.parameters(), lr=1e-3), digits().batches(seed=bench.seed), steps=250, loss_fn=loss_fn)


def looked_into(bench: Bench) -> None:
    """A probe looks inside as it trains: passes of its own, in evaluation mode."""
    model = cnn()[1:]
    batches = ((inputs.view(-1, 1, 8, 8), targets) for inputs, targets in digits().batches(seed=bench.seed))
    bench.run.probe(next(batches), examples=4)
    bench.fit(model, Adam(model.parameters(), lr=2e-3), batches, steps=300)


def validation(model: nn.Module, data: Data) -> dict[str, float]:
    """Loss and accuracy on what is not trained on, in evaluation mode."""
    inputs, targets = data.validation()
    model.eval()
    with torch.no_grad():
        outputs = model(inputs)
    model.train()
    loss = nn.functional.cross_entropy(outputs, targets)
    return {"val_loss": loss.item(), "val_accuracy": (outputs.argmax(1) == targets).float().mean().item()}


def _pretrained(model: nn.Sequential, *, steps: int = 200) -> nn.Sequential:
    optimizer = Adam(model.parameters(), lr=2e-3)
    batches = digits().batches(seed=99)
    for _ in range(steps):
        inputs, targets = next(batches)
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


CASES = [
    healthy("frozen-backbone", "mlp", frozen_backbone),
    healthy("fine-tuning", "convolutional", fine_tuning),
    healthy("lora", "mlp", lora),
    healthy("zero-residual", "residual", zero_residual),
    healthy("sparse-rectifiers", "mlp", sparse_rectifiers),
    healthy("smooth-rectifiers", "mlp", smooth_rectifiers),
    healthy("rare-rows", "embedding", rare_rows),
    healthy("tied-weights", "transformer", tied_weights),
    healthy("attended", "attention", attended),
    healthy("dropout", "mlp", dropout),
    healthy("batch-norm", "convolutional", batch_norm),
    healthy("plain-rnn", "recurrent", plain_rnn),
    healthy("lstm", "recurrent", lstm),
    healthy("deep-tanh", "mlp", deep_tanh),
    healthy("eight-normalised", "mlp", eight_normalised),
    healthy("brain-floats", "convolutional", brain_floats),
    healthy("looked-into", "convolutional", looked_into),
]
