"""Sigmoids and tanhs that stand at their ends, where no gradient passes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.called import NAMED, called_behind, ends_of_parts
from trainvitals_server.diagnosis.reading import loss_trend, recent, since, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window

SQUASHING = frozenset({"Sigmoid", "Tanh", "Hardtanh", "Hardsigmoid", "Softsign"})


def saturated_activations(
    window: Window, *, saturated: float = 0.5, loss_fallen: float = 0.3, samples: int = 5
) -> Iterator[Symptom]:
    """A hidden sigmoid or tanh of which more than ``saturated`` of the outputs lie at their ends, in the median of the
    newest ``samples`` snapshots. A warning while less than ``loss_fallen`` of the loss is gone, else worth knowing; so
    are less than half of those that are called as functions.

    Source: Glorot & Bengio, AISTATS 2010 (saturation over layers); the share of one half is that of DeepDiagnosis
    (Wardat et al., ICSE 2022).
    """
    shares, trend = recent(window, "saturated_fraction", samples=samples), loss_trend(window.loss)
    columns, middle = weighted(window), np.zeros(0) if shares is None else np.nan_to_num(typical(shares))
    if trend is None or not len(columns) or not (middle > saturated).any():
        return
    kinds = [window.info[name].kind if name in window.info else "" for name in window.layers]
    modules = np.array([kind in SQUASHING for kind in kinds]) & (np.arange(len(kinds)) < columns[-1])  # no output
    called = sorted({*called_behind(window, "saturated_fraction")} - ends_of_parts(window))
    judged = modules | np.isin(np.arange(len(kinds)), called)
    is_ill = judged & (middle > saturated)
    if not len(ill := np.flatnonzero(is_ill)):
        return
    is_common = is_ill[modules].any() or 2 * is_ill[called].sum() >= len(called)
    layers = tuple(window.layers[column] for column in ill)
    worst = float(middle[ill].max())
    begun = since(window, (np.nan_to_num(window.stats["saturated_fraction"][:, ill]) > saturated).any(axis=1))
    yield Symptom(
        rule="saturated_activations",
        severity="warning" if trend.fallen < loss_fallen and is_common else "info",
        summary=f"{len(ill)} of {int(judged.sum())} sigmoid or tanh layers{NAMED if is_ill[called].any() else ''} are "
        f"saturated, up to {worst:.0%} of their outputs: hardly a gradient passes",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="saturated_fraction",
            layers=list(layers[:5]),
            value=worst,
            threshold=saturated,
            first_step=begun,
            last_step=window.step,
            numbers={"saturated": f"{worst:.0%}", "loss": trend.course},
        ),
        causes=("weights drawn too large", "inputs that are not normalised", "a step too long that blew weights up"),
        advice=(
            "Draw weights for the activation: torch.nn.init.xavier_uniform_(layer.weight).",
            "Standardise the inputs: mean 0, standard deviation 1.",
            "Put a LayerNorm or BatchNorm before the activation, or use ReLU or GELU in hidden layers.",
        ),
    )
