"""Layers all of whose units begin alike."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import matrices
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def symmetric_units(window: Window, *, after_steps: int = 10) -> Iterator[Symptom]:
    """Hidden layers whose units all began with the same weights, not zero, and the layer behind them was constant, too,
    so that nothing tells the units apart: critical. Where the layer behind is not constant its weights do, and it is
    only worth knowing.

    Exact, of at most eight units and 1,024 weights of each. Zeros are left out (LoRA's B, the last layer of a residual
    branch, heads). Source: Goodfellow et al., "Deep Learning", 2016, section 8.4.
    """
    layers = matrices(window)
    alike = [layer.initial is not None and layer.initial.equal_rows and layer.initial.largest > 0 for layer in layers]
    constant = [layer.initial is not None and layer.initial.std == 0.0 for layer in layers]
    hidden = [index for index in range(len(layers) - 1) if alike[index]]
    if not hidden or window.step < after_steps:
        return
    lasting = [index for index in hidden if constant[index + 1]]
    names = tuple(layers[index].name for index in lasting or hidden)
    meanwhile = "and so do those behind them: they stay alike" if lasting else "until the layer behind tells them apart"
    yield Symptom(
        rule="symmetric_units",
        severity="critical" if lasting else "info",
        summary=f"All units of {len(names)} hidden layer{'s' * (len(names) > 1)} begin with the same weights, "
        f"{meanwhile}",
        first_step=0,
        last_step=window.step,
        layers=names,
        evidence=Evidence(
            stat="weight_norm",
            layers=list(names[:5]),
            value=0.0,
            comparison="=",
            last_step=window.step,
            numbers={"hidden layers": len(layers) - 1, "with equal units": len(hidden)},
        ),
        causes=("weights set to a constant: nn.init.constant_, nn.init.ones_, weight.data.fill_",),
        advice=(
            "Let PyTorch's own initialisation be, or draw: torch.nn.init.kaiming_normal_(layer.weight).",
            "Only biases may begin with a constant.",
        ),
    )
