"""What differs between two runs: settings, optimizers, code, data, environment, layers."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.checklist import Change, Changes, LayerParting, Parting
from trainvitals.wire.facts import FACTS
from trainvitals.wire.messages import LayerInfo
from trainvitals.wire.naming import names_data
from trainvitals_server.diagnosis.grouping import group_layers

CODE: Final = ("revision", "branch", "diff", "command")
NOT_COMPARED: Final = ("pid", "error", "patch")  # they differ, and mean nothing, or too much
MOST: Final = 100  # changes of a kind
MOST_WORDS: Final = 300  # characters of a value
DATA_FACTS: Final = {"classes": "classes", "rows": "rows of a batch"}
CHECKSUM: Final = FACTS + "input_checksum"
BATCH_FACTS: Final = {FACTS + "input_mean": "mean", FACTS + "input_std": "deviation", CHECKSUM: "checksum"}
SAME_MODEL: Final = 0.5  # share of the layers
_GPU: Final = re.compile(r"system/gpu(\d+)_")


def changes(
    now: RunDetail,
    before: RunDetail,
    *,
    batch: Change | None = None,
    parting: Parting | None = None,
    layer_parting: LayerParting | None = None,
) -> Changes:
    """``batch``: how the first batch differs, where it does; ``parting``: where the losses part; ``layer_parting``:
    where the layers do."""
    settings = list(_differing(flat(before.config), flat(now.config)))
    told = [change for change in settings if names_data(change.name)]
    settings = [change for change in settings if not names_data(change.name)]
    return Changes(
        run_id=now.summary.run_id,
        against=before.summary,
        settings=[*settings, *_differing(_plan(before), _plan(now))][:MOST],
        optimizers=list(_differing(_optimizers(before), _optimizers(now)))[:MOST],
        code=list(_differing(_code(before), _code(now))),
        data=[*told, *_differing(_seen(before), _seen(now)), *([batch] if batch else [])][:MOST],
        environment=list(_differing(_environment(before), _environment(now)))[:MOST],
        layers=_layers(before.layers, now.layers)[:MOST],
        parting=parting,
        layer_parting=layer_parting,
        unknown=_unknown(now, before),
    )


def is_like(now: RunDetail, before: RunDetail) -> bool:
    """Whether two runs train the same model, or one that it was made of: half of its layers, or more, are the same by
    name and kind. Of two that watch none it is not known, and taken for so."""
    ours, theirs = ({(layer.name, layer.kind) for layer in run.layers} for run in (now, before))
    return len(ours & theirs) >= SAME_MODEL * max(len(ours), len(theirs))


def _unknown(now: RunDetail, before: RunDetail) -> list[str]:
    """A revision is known with git alone, and of data what settings name, or a loss function saw, of both runs."""
    both = (now, before)
    knows_code = all(run.environment.get("revision") is not None for run in both)
    knows_data = all(
        any(names_data(name) for name, _ in flat(run.config)) or CHECKSUM in run.summary.last for run in both
    )
    return [kind for kind, is_known in (("code", knows_code), ("data", knows_data)) if not is_known]


def flat(settings: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:  # Any: the user's own
    """Nested settings as ("optimizer.lr", 0.001)."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def first_batch(now: Mapping[str, float], before: Mapping[str, float]) -> Change | None:
    """By the first facts of BATCH_FACTS; None where they do not differ, or one is not known."""
    if CHECKSUM not in now or CHECKSUM not in before or now[CHECKSUM] == before[CHECKSUM]:
        return None
    return Change(name="first batch", before=_batch(before), now=_batch(now))


def _batch(facts: Mapping[str, float]) -> str:
    return ", ".join(
        f"{word} {facts[fact]:.{6 if fact == CHECKSUM else 3}g}" for fact, word in BATCH_FACTS.items() if fact in facts
    )


def _differing(before: Iterable[tuple[str, Any]], now: Iterable[tuple[str, Any]]) -> Iterator[Change]:
    """Values by name that differ, in the order of ``now``, then those that are gone."""
    old, new = dict(before), dict(now)
    for name in dict.fromkeys([*new, *old]):
        if name not in old or name not in new or not _is_same(old[name], new[name]):
            yield Change(
                name=name,
                before=_word(old[name]) if name in old else None,
                now=_word(new[name]) if name in new else None,
            )


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other) or _word(one) == _word(other)  # NaN is the same as NaN, 1 as 1.0


def _word(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, (dict, list, tuple)):
        text = json.dumps(value, default=str, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]} …"


def _plan(run: RunDetail) -> Iterator[tuple[str, Any]]:
    if run.planned_steps is not None:
        yield "planned steps", run.planned_steps
    yield "ranks", run.summary.ranks


def _optimizers(run: RunDetail) -> Iterator[tuple[str, Any]]:
    for place, optimizer in enumerate(run.optimizers):
        which = "" if len(run.optimizers) == 1 else f"{place}."
        yield f"{which}optimizer", optimizer.kind
        for index, group in enumerate(optimizer.groups):
            of_group = "" if len(optimizer.groups) == 1 else f"group {index}."
            for name, value in group.settings.items():
                yield f"{which}{of_group}{name}", value


def _code(run: RunDetail) -> Iterator[tuple[str, Any]]:
    for name in CODE:
        value = run.environment.get(name)
        if value is not None:
            yield name, shlex.join(map(str, value)) if name == "command" and isinstance(value, list) else value


def _environment(run: RunDetail) -> Iterator[tuple[str, Any]]:
    kept = {name: value for name, value in run.environment.items() if name not in (*CODE, *NOT_COMPARED)}
    yield from ((name, value) for name, value in flat(kept) if value not in (None, {}))
    gpus = {found[1] for name in run.summary.last if (found := _GPU.match(name))}
    if gpus:
        yield "GPUs in use", len(gpus)


def _seen(run: RunDetail) -> Iterator[tuple[str, Any]]:
    """What the loss function saw of the data."""
    for fact, word in DATA_FACTS.items():
        if (last := run.summary.last.get(FACTS + fact)) is not None:
            yield word, f"{last.value:.0f}" if isinstance(last.value, float) else last.value


def _layers(before: Iterable[LayerInfo], now: Iterable[LayerInfo]) -> list[Change]:
    """Layers that differ in the same way make one change."""
    old, new = {one.name: _described(one) for one in before}, {one.name: _described(one) for one in now}
    alike: dict[tuple[str | None, str | None], list[str]] = {}
    for name in dict.fromkeys([*new, *old]):
        then, there = old.get(name), new.get(name)
        if then != there:
            alike.setdefault((_apart(then, there), _apart(there, then)), []).append(name)
    return [Change(name=group_layers(names), before=then, now=there) for (then, there), names in alike.items()]


def _described(layer: LayerInfo) -> dict[str, str]:
    """What of a layer may differ, in words."""
    found = {"kind": layer.kind}
    if layer.parameters:
        found["parameters"] = f"{layer.parameters:,} parameters"
        found["trainable"] = f"{layer.trainable:,} trainable" if layer.trainable < layer.parameters else "all trainable"
    if layer.trainable:
        found["optimizer"] = "in the optimizer" if layer.in_optimizer else "in no optimizer"
    return found | {name: f"{name} {value:g}" for name, value in layer.settings.items()}


def _apart(layer: dict[str, str] | None, other: dict[str, str] | None) -> str | None:
    """A layer by what the other has otherwise; by its kind and size where there is no other."""
    if layer is None:
        return None
    if other is None:
        return ", ".join(layer[name] for name in ("kind", "parameters") if name in layer)
    return ", ".join(word for name, word in layer.items() if other.get(name) != word)
