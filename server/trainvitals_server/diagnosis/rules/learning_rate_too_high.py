"""A learning rate beyond what the network bears: the loss stands above what it had come to."""

from __future__ import annotations

from collections.abc import Iterator

from trainvitals.wire.messages import Evidence
from trainvitals_server.diagnosis.best import best_of
from trainvitals_server.diagnosis.facts import loss_of_nothing, rests_at_nothing
from trainvitals_server.diagnosis.reading import learning_rate, loss_trend, value_at
from trainvitals_server.diagnosis.symptom import Symptom
from trainvitals_server.diagnosis.usual_rates import far_beyond
from trainvitals_server.diagnosis.window import Window

PEAK = "the learning rate's peak is beyond what this network bears"


def learning_rate_too_high(
    window: Window,
    *,
    lasting: int = 40,
    share_of_start: float = 0.1,
    noises: float = 3.0,
    grown: float = 1.5,
    beyond: float = 10.0,
    nothing: float = 0.5,
) -> Iterator[Symptom]:
    """The learning rate is ``grown`` times what it was when the loss was best, or ``beyond`` times the highest that is
    usual for its optimizer, and the newest ``lasting`` points of the loss lie above that best by ``share_of_start`` of
    the start and ``noises`` times its noise then, in their lower quartile too; or, at a rate so far beyond, the loss
    rests, above ``nothing`` of that of knowing nothing. One-sided; a rate that has fallen since (a restart that
    settles) does not speak.

    Source: Tuning Playbook (Godbole et al., 2023), on learning rates just beyond the one at which training is stable.
    """
    loss, rate, trend = window.loss, learning_rate(window), loss_trend(window.loss)
    if loss is None or rate is None or trend is None or len(rate.values) < 2 or trend.has_two_signs:
        return
    now, far = float(rate.values[-1]), far_beyond(window, times=beyond)
    if now < 0.99 * float(rate.values.max()) or (far is None and now < grown * float(rate.values.min())):
        return
    if (best := best_of(loss, trend, newest=lasting, share_of_start=share_of_start, noises=noises)) is None:
        return
    then = value_at(rate, best.turned)
    if best.is_above and now >= grown * then:
        said, lower = f"With a learning rate of {then:.2g} the loss had come to {best.lowest:.4g}; with {now:.2g}", then
        said, line = f"{said} it stands at {best.stands:.4g}", best.line
    elif far and (best.is_above or rests_at_nothing(window, trend.now, share=nothing)):
        lower, course = far.highest, f"and had come to {best.lowest:.4g}" if best.is_above else "and falls no more"
        said = f"With a learning rate of {now:.2g}, {far.times:.0f} times the highest that is usual for {far.kind}, "
        said += f"the loss stands at {best.stands:.4g}, {course}"
        line = best.line if best.is_above else nothing * (loss_of_nothing(window) or 0.0)
    else:
        return
    yield Symptom(
        rule="learning_rate_too_high", severity="warning", summary=said, first_step=best.turned, last_step=window.step,
        evidence=Evidence(
            metric=window.loss_name, value=best.stands, threshold=line, first_step=best.turned,
            last_step=window.step, numbers={"best": best.lowest, "rate then": then, "rate now": now},
        ),
        causes=(PEAK, "a schedule that rises by mistake") if now >= grown * then else (PEAK,),
        advice=(
            f"Let the rate peak at {lower:.1g}, or go on with a third of {now:.1g}.",
            "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
            "Normalise (LayerNorm, BatchNorm), which lets a network bear larger rates.",
        ),
    )  # fmt: skip
