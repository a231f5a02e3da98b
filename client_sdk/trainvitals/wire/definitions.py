"""What a run's metrics mean: as its script defines them, else by the names that are usual."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from trainvitals.wire.facts import is_fact
from trainvitals.wire.notes import MetricDefinition, Role

NONE: Final[Mapping[str, MetricDefinition]] = MappingProxyType({})
VALIDATIONS: Final = ("val", "validation", "valid", "eval", "test")
TRAININGS: Final = ("train", "training")
MOST_REMEMBERED: Final = 4096  # names of metrics
MOST_PATTERNS: Final = 200
_SEPARATORS: Final = re.compile(r"[/_.\-\s]+")
_PATTERN: Final = re.compile(r"[*?\[]")


def _names(splits: Iterable[str], *kinds: str) -> list[str]:
    """What scripts call the loss of such a split; parts of a loss ("loss/data") are none of these."""
    forms = ("{0}/loss", "loss/{0}", *kinds, "{0}/total/loss", "{0}/loss/total", "loss/{0}/total")
    return [form.format(split) for split in splits for form in forms]


# in lower case, words separated by "/"; what is named earlier is preferred. Lightning adds _step and _epoch
CONVENTIONS: Final[Mapping[Role, tuple[str, ...]]] = {
    "loss": (
        *("loss", *_names(TRAININGS, "{0}/loss/step", "{0}/loss/epoch")),
        *("loss/step", "loss/epoch", "loss/total", "total/loss"),
    ),
    "validation_loss": tuple(_names(VALIDATIONS, "{0}/loss/epoch")),
}
_BY_NAME: Final[Mapping[str, tuple[Role, int]]] = {
    name: (role, place) for role, names in CONVENTIONS.items() for place, name in enumerate(names)
}
Claim = tuple[Role, tuple[int, int]]  # a role, and how strong the claim to it is: the least first


class Definitions:
    """What a script says of its metrics, by their names or by patterns as ``fnmatch`` has them ("val/*"). Remembers
    what it was asked; belongs to one thread."""

    def __init__(self, given: Mapping[str, MetricDefinition] = NONE) -> None:
        self.given = dict(given)
        patterns = sorted(filter(_PATTERN.search, given), key=len, reverse=True)
        self._patterns = patterns[:MOST_PATTERNS]
        self._order = {name: place for place, name in enumerate(given) if given[name].role is not None}
        self._claims: dict[str, Claim | None] = {}

    def of(self, metric: str) -> MetricDefinition | None:
        """What the script says of a metric: by its name, else by the longest pattern that matches it."""
        name = self._defining(metric)
        return None if name is None else self.given[name]

    def role(self, metric: str) -> Role | None:
        """Of a metric: as it was defined, else as it is called. Several may have the same."""
        claim = self._claim(metric)
        return None if claim is None else claim[0]

    def metric(self, role: Role, metrics: Iterable[str]) -> str | None:
        """Which of these metrics has a role: one that was defined by its name, else by a pattern, else the most usual
        of names. It does not depend on the order of ``metrics``."""
        claims = {metric: claim[1] for metric in metrics if (claim := self._claim(metric)) and claim[0] == role}
        if len(claims) < 2:
            return next(iter(claims), None)
        return min(
            sorted(claims, reverse=True), key=claims.__getitem__
        )  # loss before Loss, train_loss before train/loss

    def _defining(self, metric: str) -> str | None:
        if metric in self.given:
            return metric
        return next((pattern for pattern in self._patterns if fnmatchcase(metric, pattern)), None)

    def _claim(self, metric: str) -> Claim | None:
        try:
            return self._claims[metric]
        except KeyError:
            if len(self._claims) >= MOST_REMEMBERED:
                self._claims.clear()
            claim = self._claims[metric] = (self._declared(metric) if self._order else None) or _usual(metric)
            return claim

    def _declared(self, metric: str) -> Claim | None:
        """A pattern for the training loss ("*/objective") does not mean what a validation logs."""
        name = None if is_fact(metric) else self._defining(metric)
        role = None if name is None else self.given[name].role
        if name is None or role is None or (name != metric and role == "loss" and is_of_validation(metric)):
            return None
        return role, (0 if name == metric else 1, self._order[name])


def _words(metric: str) -> str:
    return _SEPARATORS.sub("/", metric.lower())


@lru_cache(MOST_REMEMBERED)
def _usual(metric: str) -> Claim | None:
    found = _BY_NAME.get(_words(metric))
    return None if found is None else (found[0], (2, found[1]))


@lru_cache(MOST_REMEMBERED)
def is_of_validation(metric: str) -> bool:
    """Whether a metric's name says so."""
    return not set(VALIDATIONS).isdisjoint(_words(metric).split("/"))
