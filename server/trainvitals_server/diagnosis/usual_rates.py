"""Learning rates that are usual for an optimizer, and those far beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trainvitals_server.diagnosis.reading import learning_rate
from trainvitals_server.diagnosis.window import Window

# From fine-tuning to training small networks. Adam: BERT is tuned at 2e-5 to 5e-5 (Devlin et al., 2019), 1e-3 is the
# default (Kingma & Ba, 2015), and 3e-3 what small vision transformers take. SGD: from 1e-3 (tuning) to 0.5 (Goyal et
# al., 2017, without their large batches). Lion: a tenth of Adam's (Chen et al., arXiv:2302.06675).
ADAM: Final = (1e-5, 3e-3)
USUAL: Final = {
    "Adam": ADAM, "AdamW": ADAM, "NAdam": ADAM, "RAdam": ADAM, "Adamax": ADAM, "FusedAdam": ADAM, "Adam8bit": ADAM,
    "AdamW8bit": ADAM, "PagedAdamW": ADAM, "PagedAdamW8bit": ADAM, "SGD": (1e-3, 0.5), "RMSprop": (1e-5, 1e-2),
    "Adagrad": (1e-3, 0.1), "Lion": (1e-6, 3e-4),
}  # fmt: skip
FAR: Final = 10.0  # times what is usual at the most: nothing can be said of data and labels by what is learnt then
ROUNDING: Final = 1.001  # rates are kept as float32


@dataclass(frozen=True, slots=True)
class Beyond:
    """The optimizer's kind, the highest rate that is usual for it, and how many times that a rate is."""

    kind: str
    highest: float
    times: float


def far_beyond(window: Window, *, times: float) -> Beyond | None:
    """The newest learning rate where it is ``times`` what is usual at the most, and the run's only one."""
    rates = {group.settings.get("lr") for found in window.optimizers for group in found.groups}
    rate = learning_rate(window)
    if rate is None or not len(rate.values) or len(window.optimizers) != 1 or len(rates) != 1:
        return None
    kind, now = window.optimizers[0].kind, float(rate.values[-1])
    if kind not in USUAL or not now >= times * USUAL[kind][1] / ROUNDING:
        return None
    return Beyond(kind, USUAL[kind][1], now / USUAL[kind][1])
