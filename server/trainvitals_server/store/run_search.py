"""The conditions of a search as SQL."""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from trainvitals_server.store import tables
from trainvitals_server.store.run_words import MOST_CHARACTERS, leaf
from trainvitals_server.store.search_syntax import Term, Value, parse_search
from trainvitals_server.store.tables import as_kept

Condition = sa.ColumnElement[bool]
COMPARES: Final[dict[str, Callable[[Any, Any], Any]]] = {  # Any: columns and numbers
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SEVERITIES: Final = ("critical", "warning", "info")
MOST_SEPARATORS: Final = 2  # of a name, in whose place any others may stand
_SEPARATORS: Final = "/_.- "


def conditions(text: str, *, hides_archived: bool, now: float) -> list[Condition]:
    """What runs must be. Raises SearchRefused."""
    terms = parse_search(text)
    found = [_negated(_condition(term, now=now), is_negated=term.is_negated) for term in terms]
    if hides_archived and not any(term.is_field and term.name == "is" for term in terms):
        found.append(tables.run.c.archived_at.is_(None))
    return found


def _negated(condition: Condition, *, is_negated: bool) -> Condition:
    # what is NULL meets no condition, and so meets its opposite
    return sa.not_(sa.func.coalesce(condition, sa.false())) if is_negated else condition


def _condition(term: Term, *, now: float) -> Condition:
    if not term.name:
        return tables.run.c.search.contains(as_kept(term.values[0].text.lower()), autoescape=True)
    if term.is_field:
        return _of_field(term, now=now)
    return _of_setting_or_metric(term)


def _of_field(term: Term, *, now: float) -> Condition:
    run, compare = tables.run, COMPARES[term.operator]
    match term.name:
        case "status":
            return run.c.status.in_([value.text.lower() for value in term.values])
        case "health":
            return compare(run.c.health, term.number)  # type: ignore[no-any-return]  # a column's operators
        case "step":
            return compare(run.c.last_step, term.number)  # type: ignore[no-any-return]  # as above
        case "age":
            return compare(now - run.c.created_at, term.number)  # type: ignore[no-any-return]  # as above
        case "is":
            return sa.or_(*(_is(value.text.lower()) for value in term.values))
        case "finding":
            return sa.or_(*map(_finding, term.values))
        case "tag":
            word = tables.run_tag.c.word
            return run.c.id.in_(sa.select(tables.run_tag.c.run_id).where(_any_of(word, term.values)))
        case "has":
            return sa.or_(*(_has(value.text) for value in term.values))
    column = {"id": run.c.uid, "group": run.c.run_group}.get(term.name)
    return _any_of(run.c[term.name] if column is None else column, term.values, is_lower=False)


def _is(kind: str) -> Condition:
    return tables.run.c.archived_at.is_not(None) if kind == "archived" else sa.true()


def _finding(value: Value) -> Condition:
    finding, word = tables.finding, value.text.lower()
    is_open = sa.select(finding.c.run_id).where(finding.c.state == "open")
    if word in ("any", "none"):
        some = tables.run.c.id.in_(is_open)
        return some if word == "any" else sa.not_(some)
    wanted = finding.c.severity == word if word in SEVERITIES else _any_of(finding.c.rule, [value])
    return tables.run.c.id.in_(is_open.where(wanted))


def _has(name: str) -> Condition:
    return sa.or_(tables.run.c.id.in_(_setting(name)), tables.run.c.id.in_(_metric(name)))


def _of_setting_or_metric(term: Term) -> Condition:
    """A metric only counts where the run has no such setting: of a rate that decays the setting is what was chosen.
    A setting that is no number (loss=mse) is none that could be compared."""
    number, setting, metric = tables.run.c.id, tables.run_setting, tables.metric_last
    known = _setting(term.name)
    if term.operator != "=":
        known = known.where(setting.c.number.is_not(None))
    by_setting = number.in_(known.where(_compared(term, setting.c.number, setting.c.word)))
    by_metric = number.in_(_metric(term.name).where(_compared(term, metric.c.value, None)))
    return sa.or_(by_setting, sa.and_(number.not_in(known), by_metric))


def _setting(name: str) -> sa.Select[Any]:  # Any: of run numbers
    table = tables.run_setting
    last = leaf(name)
    found = sa.select(table.c.run_id).where(table.c.leaf.in_(_alike(last)))
    return found if last == name else found.where(table.c.name.in_(_alike(name)))


def _metric(name: str) -> sa.Select[Any]:  # Any: of run numbers
    table, run = tables.metric_last, tables.run
    found = sa.select(table.c.run_id)
    if name.lower() != "loss":
        return found.where(table.c.metric.in_(_alike(name)))
    of_run = sa.select(run.c.loss_metric).where(run.c.id == table.c.run_id).scalar_subquery()
    return found.where(table.c.metric == of_run)


def _alike(name: str) -> list[str]:
    """Names that mean the same: what is asked for by val_loss may have been logged as val/loss."""
    parts = re.split(f"([{re.escape(_SEPARATORS)}])", as_kept(name)[:MOST_CHARACTERS])
    if not 1 < len(parts) <= 2 * MOST_SEPARATORS + 1:
        return ["".join(parts)]
    words = parts[::2]
    return [
        "".join(itertools.chain(*itertools.zip_longest(words, between, fillvalue="")))
        for between in itertools.product(_SEPARATORS, repeat=len(words) - 1)
    ]


def _compared(term: Term, number: sa.ColumnElement[Any], word: sa.ColumnElement[str] | None) -> Condition:
    if term.operator != "=":
        return COMPARES[term.operator](number, term.number)  # type: ignore[no-any-return]  # a column's operators
    return sa.or_(*(_equal(value, number, word) for value in term.values))


def _equal(value: Value, number: sa.ColumnElement[Any], word: sa.ColumnElement[str] | None) -> Condition:
    wanted = value.number
    if word is None:  # a metric's, of which NaN is kept as NULL
        if wanted is None or value.is_literal:
            return sa.false()
        return number.is_(None) if math.isnan(wanted) else number == wanted
    if wanted is None or value.is_literal or not math.isfinite(wanted):
        return _any_of(word, [value])
    return number == wanted


def _any_of(column: sa.ColumnElement[str], values: Sequence[Value], *, is_lower: bool = True) -> Condition:
    """Equal to one of the values, whatever the case, where * stands for anything. ``is_lower``: the column is."""
    folded = column if is_lower else sa.func.folded(column)
    found: list[Condition] = []
    for value in values:
        text = as_kept(value.text)[:MOST_CHARACTERS]
        if value.is_literal or "*" not in text:
            found.append(folded == text.lower())
            continue
        pattern = re.sub(r"([%_\\])", r"\\\1", text.lower()).replace("*", "%")
        found.append(folded.like(pattern, escape="\\"))
    return sa.or_(*found)
