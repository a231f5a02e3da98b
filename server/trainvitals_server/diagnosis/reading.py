"""What several rules read from a window: where the loss came from and stands, and which layers carry weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from trainvitals_server.diagnosis.median import median, medians
from trainvitals_server.diagnosis.window import LEARNING_RATE, Floats32, Series, Steps, Window

MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
MEDIAN_ERROR: Final = 1.25  # times that of the mean, of a normal distribution
FEWEST_POINTS: Final = 20
SURE: Final = 3.0  # errors of a difference
CREEPS: Final = 0.005  # of a level: a quarter of what a plateau may be wide
EPS: Final = 1e-12
FIRST: Final = 5  # points, for the start: the same however long the run has become
LEAST_START: Final = 1e-2
BLOWN_UP: Final = 1 / 3
DEPTH: Final = 4  # fewer layers have no depth for gradients to fade over
FADED: Final = 1e-3  # the line of vanishing_gradients
SIGNS: Final = 0.05
HEALTHY_UPDATE: Final = 1e-3  # of the weights' size, in a step (CS231n notes)
MOST_AT_ONCE: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTrend:
    """Medians of the loss's finite points: the first of them, the second tenth, the last, the lowest of ten; ``noise``
    is the robust standard deviation within the last tenth's neighbourhood. ``has_two_signs``: it is now above zero, now
    below, like that of a policy gradient, and its size tells nothing."""

    start: float
    early: float
    now: float
    lowest: float
    noise: float
    has_two_signs: bool

    @property
    def fallen(self) -> float:
        """Share of the starting loss that is gone; negative if it rose. Losses under zero count by difference."""
        return (self.start - self.now) / max(abs(self.start), EPS)

    @property
    def course(self) -> str:
        """``fallen`` in words, as evidence has it."""
        if self.fallen < -1 and self.start > 0:
            return f"risen to {self.now / self.start:,.0f} times its start"
        return f"risen by {-self.fallen:.0%}" if self.fallen < -0.005 else f"fallen by {self.fallen:z.0%}"

    @property
    def begins_at_zero(self) -> bool:
        """Like a divergence from a reference: it cannot fall, and its start gives no scale."""
        return abs(self.start) < LEAST_START


_trends: WeakKeyDictionary[Series, LossTrend | None] = WeakKeyDictionary()  # half of the rules ask
_weighted: WeakKeyDictionary[Window, dict[int, NDArray[np.intp]]] = WeakKeyDictionary()


def loss_trend(loss: Series | None) -> LossTrend | None:
    """None before there is enough to say anything."""
    if loss is None:
        return None
    if loss not in _trends:
        _trends[loss] = _trend_of(loss)
    return _trends[loss]


def _trend_of(loss: Series) -> LossTrend | None:
    values = loss.values[np.isfinite(loss.values)].astype(np.float64)
    if len(values) < FEWEST_POINTS:
        return None
    tenths = np.array_split(values, 10)
    of_tenths = [median(tenth) for tenth in tenths]
    noise = noise_of(values[-100:])
    start = median(values[:FIRST])
    if 0 < values[0] < BLOWN_UP * start:
        start = float(values[0])  # it blew up within these first points
    return LossTrend(
        start=start,
        early=of_tenths[1],
        now=of_tenths[-1],
        lowest=min(of_tenths),
        noise=noise,
        has_two_signs=bool(SIGNS < (values < 0).mean() < 1 - SIGNS),
    )


def suffers(window: Window, *, newest: int = 8, noises: float = 6.0) -> bool:
    """Whether the loss of the newest points is worse than its best tenth, beyond its noise; True where none is told."""
    loss, trend = window.loss, loss_trend(window.loss)
    if loss is None or trend is None:
        return True
    values = loss.values[np.isfinite(loss.values)].astype(np.float64)
    best = min(np.array_split(values, 10), key=np.median)
    noise = MAD_TO_SIGMA * median(np.abs(np.diff(best))) / math.sqrt(2)
    return median(values[-newest:]) > trend.lowest + noises * noise


def weighted(window: Window, *, least: int = 2) -> NDArray[np.intp]:
    """Columns of layers that carry trainable weight matrices, in forward order; norms and lone scalars are left out."""
    known = _weighted.setdefault(window, {})
    if least not in known:
        known[least] = _weighted_of(window, least=least)
    return known[least]


def _weighted_of(window: Window, *, least: int) -> NDArray[np.intp]:
    columns = []
    for column, name in enumerate(window.layers):
        layer = window.info.get(name)
        if layer is not None and layer.trainable >= least and "Norm" not in layer.kind:
            columns.append(column)
    return np.array(columns, np.intp)


def started(window: Window, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Of each column, whether its weights did not begin at zero, as far as is known."""
    initial = [window.info[window.layers[column]].initial for column in columns]
    return np.array([known is None or known.largest > 0 for known in initial])


def recent(window: Window, stat: str, *, samples: int = 8) -> Floats32 | None:
    """The newest ``samples`` snapshots of a stat, [samples, layers]; None if there are fewer."""
    values = window.stats.get(stat)
    return None if values is None or len(values) < samples else values[-samples:]


def in_depth(window: Window, stat: str, *, samples: int) -> tuple[Steps, Floats32] | None:
    """Steps [n] and values [n, layers] of the snapshots that looked at a stat at which not all look; None if there are
    fewer than ``samples``."""
    values = window.stats.get(stat)
    if values is None:
        return None
    looked = np.isfinite(values).any(axis=1)
    return (window.steps[looked], values[looked]) if looked.sum() >= samples else None


def typical(values: Floats32) -> NDArray[np.float64]:
    """The median over snapshots of what is finite, [layers]; NaN where nothing is."""
    if np.isfinite(values).all():
        return medians(values.astype(np.float64), axis=0)
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    has_any = np.isfinite(finite).any(axis=0)
    result = np.full(finite.shape[1], np.nan)
    result[has_any] = np.nanmedian(finite[:, has_any], axis=0)
    return result


def since(window: Window, is_ill: NDArray[Any] | np.bool_) -> int:
    """The step of the snapshot at which ``is_ill`` ([n]) began and has been true since; where it is not true of the
    newest, as a rule looks at several together, since when it was last."""
    ill = np.flatnonzero(is_ill)
    if not len(ill):
        return window.step
    well = np.flatnonzero(~np.asarray(is_ill)[: ill[-1]])
    return int(window.steps[well[-1] + 1 if len(well) else 0])


def beside_blow(window: Window, is_large: NDArray[np.bool_], row: int) -> tuple[float, float]:
    """The loss at the step of a blow to the weights, of snapshot ``row``, and what it was before: where the steps that
    led there were large (``is_large``, [n]), the loss may have risen by them already."""
    small = np.flatnonzero(~is_large[:row])
    there = _loss_before(window, int(window.steps[row]))
    return there, min(there, _loss_before(window, int(window.steps[small[-1] + 1 if len(small) else 0])))


def _loss_before(window: Window, step: int) -> float:
    """The median of the loss's finite points up to a step, eight at most: a loss is computed before its step is made.
    NaN where there is none."""
    if window.loss is None:
        return math.nan
    values = window.loss.values[: np.searchsorted(window.loss.steps, step, side="right")]
    return median(values[np.isfinite(values)][-8:])


def finite_before(window: Window, *, step: int) -> dict[str, float]:
    """The last loss and gradient norm before a step that were finite, by the words that people read."""
    found = {}
    for metric, called in ((window.loss_name, "loss"), ("grad_norm", "gradient norm")):
        if (series := window.metrics.get(metric)) is None:
            continue
        good = np.flatnonzero((series.steps < step) & np.isfinite(series.values))
        if len(good):
            found[f"{called} at step {int(series.steps[good[-1]]):,}"] = float(series.values[good[-1]])
    return found


def above_since(series: Series, line: float) -> int:
    """The step since which all finite values lie above ``line``; the last step if the newest does not."""
    finite = np.isfinite(series.values)
    steps, values = series.steps[finite], series.values[finite]
    below = np.flatnonzero(values <= line)
    return int(steps[min(below[-1] + 1, len(steps) - 1) if len(below) else 0])


def noise_of(values: NDArray[np.float64]) -> float:
    """The robust standard deviation that differences of neighbours tell of: they know nothing of the slope."""
    return MAD_TO_SIGMA * median(np.abs(np.diff(values))) / math.sqrt(2)


def rests_at(series: Series, begun: int, *, within: float) -> float | None:
    """The level at which a series has rested since the step ``begun``; None if medians of its thirds lie further apart
    than ``within`` of it, or might, for all that the noise between neighbours tells; or if the last lies under the
    first by ``SURE`` errors: a slow fall is no rest, but for one that is next to nothing (``CREEPS`` of the level)."""
    values = series.values[(series.steps > begun) & np.isfinite(series.values)].astype(np.float64)
    if len(values) < FEWEST_POINTS:
        return None
    thirds = [median(third) for third in np.array_split(values, 3)]
    error = MEDIAN_ERROR * noise_of(values) * math.sqrt(2 / (len(values) / 3))
    level = thirds[-1]
    falls = thirds[0] - level > max(SURE * error, CREEPS * abs(level))
    return level if max(thirds) - min(thirds) + error <= within * abs(level) and not falls else None


def learning_rate(window: Window) -> Series | None:
    """The learning rate of the first parameter group."""
    return window.metrics.get(LEARNING_RATE)


def value_at(series: Series, step: int) -> float:
    """What was recorded last at or before a step, or first of all: never a value between two."""
    return float(series.values[max(0, int(np.searchsorted(series.steps, step, side="right")) - 1)])


def faster(window: Window, update: float) -> str:
    """Advice for steps that change the weights by too little, ``update`` of their size: a rate by which it would be a
    healthy share, for steps of all usual optimizers grow with their rate; no more than a hundredfold at once."""
    times, rate = float(_rounded(min(MOST_AT_ONCE, HEALTHY_UPDATE / update))), learning_rate(window)
    is_known = rate is not None and len(rate.values) and rate.values[-1] > 0
    first = (
        f"Try {_rounded(times * float(rate.values[-1]))}, {times:.0f} times the learning rate, for a hundred steps"
        if is_known and rate is not None
        else f"Multiply the learning rate by {times:.0f} for a hundred steps"
    )
    return f"{first}: one would change the weights by about {_rounded(times * update)} of their size."


def _rounded(value: float) -> str:
    return f"{float(f'{value:.1g}'):g}"


def word(value: float) -> float | str:
    """A number as evidence carries it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


def depth_profile(window: Window, gradients: Floats32) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Columns of layers with weights that a gradient reaches, in forward order, and its root mean square per
    parameter."""
    columns = weighted(window)
    sizes = np.sqrt([window.info[window.layers[column]].trainable for column in columns])
    rms = typical(gradients[:, columns]) / sizes
    alive = np.isfinite(rms) & (rms > 0)
    return columns[alive], rms[alive]


def fades(window: Window, gradients: Floats32) -> bool:
    """Whether gradients get lost on their way to the first layers, for which no learning rate makes up."""
    _, rms = depth_profile(window, gradients)
    third = max(1, len(rms) // 3)
    return len(rms) >= DEPTH and bool(median(rms[:third]) < FADED * median(rms[-third:]))


def fading(window: Window, columns: NDArray[np.intp], third: int) -> NDArray[np.float64]:
    """Of each snapshot the gradient (root mean square per parameter) of the first ``third`` of ``columns``, relative to
    the last: [n]."""
    sizes = np.sqrt([window.info[window.layers[column]].trainable for column in columns])
    rms = np.nan_to_num(window.stats["grad_norm"][:, columns].astype(np.float64)) / sizes
    last = np.maximum(medians(rms[:, -third:], axis=1), EPS)
    return np.asarray(medians(rms[:, :third], axis=1) / last)


def before_clipping(window: Window, norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The norm of each snapshot as it was before it was clipped, where it was; 0 where it is not finite."""
    told = window.metrics.get("grad_norm_before_clipping")
    if told is None or not len(told.steps):
        return norms
    places = np.searchsorted(told.steps, window.steps).clip(max=len(told.steps) - 1)
    before = np.nan_to_num(told.values[places].astype(np.float64), posinf=0.0)
    return np.where(told.steps[places] == window.steps, before, norms)


def is_warming_up(window: Window, *, samples: int = 3) -> bool:
    """Whether the learning rate has risen over the newest ``samples`` snapshots."""
    rate = learning_rate(window)
    return rate is not None and len(rate.values) >= samples and bool(rate.values[-1] > 1.001 * rate.values[-samples])


def is_scheduled(window: Window, *, samples: int = 12) -> bool:
    """Whether the learning rate is still rising, or has fallen far under its peak, on purpose."""
    rate = learning_rate(window)
    if rate is None or not len(rate.values):
        return False
    peak, now = float(rate.values.max()), float(rate.values[-1])
    earlier = float(rate.values[max(0, len(rate.values) - samples)])
    return now > earlier * 1.01 or now < 0.1 * peak


def steepest_fall(sizes: NDArray[np.float64]) -> tuple[int, int, float]:
    """The stretch of neighbours over which sizes fall most without ever rising: first and last place, and the last as a
    share of the first."""
    if not len(sizes):
        return 0, 0, 1.0
    logs = np.log(sizes)
    rises = np.flatnonzero(np.diff(logs) >= 0) + 1
    begins = np.zeros(len(logs), np.intp)
    begins[rises] = rises
    begins = np.maximum.accumulate(begins)  # where the stretch began that each belongs to
    fallen = logs - logs[begins]
    end = int(np.argmin(fallen))
    return int(begins[end]), end, float(np.exp(fallen[end]))


def shut_since(fractions: Floats32, zeros: float, samples: int, revived: float) -> NDArray[np.bool_]:
    """Of each column, whether it was shut in ``samples`` snapshots on end since it last let something through."""
    stays_shut = (np.cumsum(~(fractions > revived)[::-1], axis=0) == 0)[::-1]  # [snapshots, columns]
    shut = np.vstack([np.zeros((1, fractions.shape[1]), np.int64), np.cumsum((fractions > zeros) & stays_shut, axis=0)])
    return np.asarray((shut[samples:] - shut[:-samples] == samples).any(axis=0))


def falls_straight(loss: Series, noise: float) -> bool:
    """Whether the means of three thirds fall, beyond their errors, and the second time half as far as the first."""
    values = loss.values[np.isfinite(loss.values)].astype(np.float64)
    first, second, third = (float(np.mean(part)) for part in np.array_split(values, 3))
    return first - third > 4 * noise / np.sqrt(len(values) / 3) and second - third > 0.5 * (first - second)
