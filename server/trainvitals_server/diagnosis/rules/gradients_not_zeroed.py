"""Gradients that add up from step to step because nothing clears them."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.facts import fact, ill_since
from trainvitals_server.diagnosis.median import median
from trainvitals_server.diagnosis.reading import weighted
from trainvitals_server.diagnosis.sums import growth
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.window import Series, Window

FEWEST = 8  # snapshots to see a line in


def gradients_not_zeroed(
    window: Window, *, looks: int = 3, samples: int = 10, off: float = 0.25, grown: float = 4.0,
    layers_alike: float = 0.9,
) -> Iterator[Symptom]:  # fmt: skip
    """In each of the newest ``looks`` backward added to the gradient of the step before. Where that is not looked at,
    because there are several models, optimizers or processes: over the run's first ``samples`` snapshots the gradient's
    norm grows as the number of steps does (a line through zero, ``off`` by less of its height), by ``grown`` times or
    more, in ``layers_alike`` of the layers. Sums of accumulation done right are cleared, and do not grow.

    Source: "A Recipe for Training Neural Networks" (Karpathy, 2019) names it among the most common mistakes.
    """
    kept = fact(window, "gradients_kept")
    if kept is not None and len(kept.values) >= looks:
        found = _kept(kept, looks)
    else:
        found = _grown(window, samples=samples, off=off, grown=grown, layers_alike=layers_alike)
    if found is None:
        return
    summary, evidence = found
    yield Symptom(
        rule="gradients_not_zeroed",
        severity="critical",
        summary=summary,
        first_step=evidence.first_step,
        last_step=window.step,
        evidence=evidence,
        causes=("optimizer.zero_grad() is never called, or of another optimizer", "accumulation that never ends"),
        advice=(
            "Call optimizer.zero_grad() before each backward pass (after each step, where gradients are accumulated).",
        ),
    )


def _kept(kept: Series, looks: int) -> tuple[str, Evidence] | None:
    if (kept.values[-looks:] != 1).any():
        return None
    since, last = ill_since(kept, kept.values == 1), int(kept.steps[-1])
    evidence = Evidence(
        metric="facts/gradients_kept", value=1.0, threshold=1.0, comparison="=", first_step=since, last_step=last,
        numbers={"steps looked at": int((kept.steps >= since).sum())},
    )  # fmt: skip
    return f"Since step {since:,} each backward pass has added to the gradient of the step before", evidence


def _grown(
    window: Window, *, samples: int, off: float, grown: float, layers_alike: float
) -> tuple[str, Evidence] | None:
    columns = weighted(window)
    if "grad_norm" not in window.stats or len(window.steps) < FEWEST or not len(columns):
        return None
    columns = columns[[window.info[window.layers[column]].in_optimizer for column in columns]]
    line = growth(window, "grad_norm", columns, samples=samples)
    if line is None or ((line.apart < off) & (line.times > grown)).mean() < layers_alike:
        return None
    times = median(line.times)
    evidence = Evidence(
        stat="grad_norm", layers=[window.layers[column] for column in columns[:5]], value=times, threshold=grown,
        is_drawn=False, first_step=int(window.steps[0]), last_step=line.last_step,
        numbers={"grown": times, "off a straight line": f"{median(line.apart):.0%}"},
    )  # fmt: skip
    return f"Over the first {line.last_step + 1} steps gradients grew {times:.1f} times, as sums do", evidence
