"""Labels that are the same for every example."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import classifies, fact, middle
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Window


def labels_constant(
    window: Window, *, samples: int = 8, after_steps: int = 15, fewest_rows: int = 8
) -> Iterator[Symptom]:
    """Every row of every batch that was looked at, ``samples`` of them at least and over ``after_steps`` steps, had the
    same label.

    Exact for what was seen; data that come sorted by class look like it until the next class begins. Source:
    TheDeepChecker (Ben Braiek & Khomh, 2022), pre-training checks of labels.
    """
    shares, labels, rows = fact(window, "label_majority"), fact(window, "commonest_label"), middle(window, "rows")
    if shares is None or labels is None or rows is None or rows < fewest_rows or len(shares.values) < samples:
        return
    is_same = bool((shares.values > 0.9999).all() and (labels.values == labels.values[0]).all())
    if not is_same or window.step < after_steps or not classifies(window):
        return
    yield Symptom(
        rule="labels_constant",
        severity="critical",
        summary=f"Every label is {labels.values[0]:.0f}, in all {len(shares.values)} batches that were looked at: "
        "there is nothing to learn",
        first_step=int(shares.steps[0]),
        last_step=window.step,
        evidence=Evidence(
            metric="facts/label_majority",
            value=1.0,
            threshold=1.0,
            comparison="=",
            first_step=int(shares.steps[0]),
            last_step=window.step,
            numbers={"label": float(labels.values[0]), "batches": len(shares.values), "rows of each": rows},
        ),
        causes=(
            "labels that were made of the wrong column or folder",
            "an index or argmax over the wrong dimension, or a comparison that is always false",
            "data sorted by class, of which the first class goes on",
        ),
        advice=(
            "Count them: torch.cat([y for _, y in loader]).unique(return_counts=True).",
            "Print one batch with its labels just before it enters the loss.",
            "Shuffle: DataLoader(dataset, shuffle=True).",
        ),
    )
