"""An optimizer of Adam's kind whose steps are ruled by its ε, as the gradients are smaller than that."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import ill_since
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import in_depth, is_scheduled, loss_trend, typical, weighted
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

DEFAULT = 1e-8  # of PyTorch's Adam, AdamW, NAdam, RAdam and RMSprop
IDLE = 0.99  # of a layer's gradients: which step it would make is not to be told
SCALED = "a loss, and gradients, scaled down by mistake"


def epsilon_dominating(
    window: Window, *, share: float = 0.5, loss_fallen: float = 0.3, converged: float = 0.9, samples: int = 3
) -> Iterator[Symptom]:
    """Of the layers with weights the median one has more than ``share`` of its weights with a gradient under the ε of
    its optimizer, in the newest ``samples`` looks; with the default ε in the first ones, too. Silent where the rate is
    warmed up or run down, and once ``converged`` of the loss is gone. A warning while less than ``loss_fallen`` of the
    loss is gone, else worth knowing.

    Source: Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities", arXiv:2309.14322
    (updates fade where the root of the second moment comes down to ε); Kingma & Ba, arXiv:1412.6980 (1e-8).
    """
    found, trend, columns = _ruled(window, samples), loss_trend(window.loss), weighted(window)
    if found is None or trend is None or not len(columns) or is_scheduled(window):
        return
    steps, every = found[0], found[1][:, columns]
    now, first = typical(every[-samples:]), typical(every[:samples])
    seen = np.isfinite(now) & np.isfinite(first)
    if not seen.any() or trend.fallen > converged or median(now[seen]) <= share:
        return
    groups = [group.settings for optimizer in window.optimizers for group in optimizer.groups]
    eps = max((one["eps"] for one in groups if isinstance(one.get("eps"), float)), default=DEFAULT)
    if eps <= DEFAULT and median(first[seen]) <= share:
        return  # they have become small, as those of what has been learnt or of what is lost do
    layers = tuple(window.layers[column] for column in columns[np.nan_to_num(now) > share])
    looks = np.array([median(row[np.isfinite(row)]) for row in every[:, seen]], np.float32)
    begun = ill_since(Series(steps=steps, values=looks), looks > share)
    yield Symptom(
        rule="epsilon_dominating",
        severity="warning" if trend.fallen < loss_fallen and not trend.has_two_signs else "info",
        summary=f"ε = {eps:.3g} is larger than the gradients of {median(now[seen]):.0%} of the weights: it, and no "
        "longer their size, decides how far they move",
        first_step=begun,
        last_step=window.step,
        layers=layers,
        evidence=Evidence(
            stat="epsilon_fraction",
            layers=list(layers[:5]),
            value=median(now[seen]),
            threshold=share,
            first_step=begun,
            last_step=window.step,
            numbers={"ε": eps, "default": DEFAULT, "loss": trend.course},
        ),
        causes=("an ε far above its default", SCALED) if eps > DEFAULT else (SCALED,),
        advice=(
            "Set eps back to 1e-8, or choose the learning rate anew: beyond ε Adam is SGD with momentum at lr ∕ ε."
            if eps > DEFAULT
            else "Log the loss and the gradient norm, and see by what they are divided; Adam bears eps=1e-15.",
        ),
    )


def _ruled(window: Window, samples: int) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Of the weights that have a gradient the share that ε rules: NaN where hardly any has."""
    found, zeros = (in_depth(window, stat, samples=samples) for stat in ("epsilon_fraction", "grad_zero_fraction"))
    if found is None or zeros is None or len(found[0]) != len(zeros[0]):
        return None
    idle = np.where(zeros[1] < IDLE, zeros[1], np.nan)
    return found[0], np.maximum(found[1] - idle, 0) / (1 - idle)
