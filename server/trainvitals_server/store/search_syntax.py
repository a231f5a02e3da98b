"""Reads what people type into the search of the runs table: words, and conditions such as ``health:<60``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final, Literal

from trainvitals_server.store.interface import SearchRefused

Operator = Literal["=", "<", "<=", ">", ">="]
STATUSES: Final = ("running", "finished", "stopped", "failed", "lost")
KINDS: Final = ("archived", "all")  # of is:
FIELDS: Final = {  # name → an example of it
    "status": "status:running,lost",
    "health": "health:<60",
    "finding": "finding:dead_activations",
    "tag": "tag:baseline",
    "project": "project:digits",
    "name": "name:resnet*",
    "group": "group:sweep-1",
    "id": "id:3f2a*",
    "step": "step:>1000",
    "age": "age:<2d",
    "memo": "memo:*warmup*",
    "has": "has:val/loss",
    "is": "is:archived",
}
NUMBERS: Final = ("health", "step", "age")
UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
MOST_CHARACTERS: Final = 2000
MOST_TERMS: Final = 30
MOST_VALUES: Final = 100  # of a condition
_OPERATOR: Final = re.compile(r":?(<=|>=|!=|<|>|=)|:")
_NAME: Final = re.compile(r'[^\s:=<>!"]+')
_VALUE: Final = re.compile(r'[^\s,"]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """``is_literal``: it stood in quotes, so that no ``*`` of it stands for anything else, and where it is held
    against a setting or metric it is text."""

    text: str
    is_literal: bool = False

    @property
    def number(self) -> float | None:
        """As a number, which "nan" and "inf" are, too."""
        try:
            return float(self.text)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition: ``name`` is one of FIELDS where ``is_field``, else of a setting or metric, or empty where the
    value is a word to look for. Any of ``values`` will do. ``number``: what is compared with."""

    name: str
    operator: Operator
    values: tuple[Value, ...]
    is_field: bool = False
    is_negated: bool = False
    number: float | None = None


def parse_search(text: str) -> list[Term]:
    """The conditions, all of which are to hold. Raises SearchRefused."""
    if len(text) > MOST_CHARACTERS:
        raise SearchRefused(f"a search has at most {MOST_CHARACTERS:,} characters", place=(MOST_CHARACTERS, len(text)))
    return _Reader(text).terms()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def terms(self) -> list[Term]:
        found: list[Term] = []
        while self._skip_space():
            start = self._at
            if len(found) == MOST_TERMS:
                raise self._refused(f"at most {MOST_TERMS} conditions at once", start, len(self._text))
            found.append(self._term(start))
        return found

    def _skip_space(self) -> bool:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at < len(self._text)

    def _term(self, start: int) -> Term:
        is_negated = self._text[start] == "-" and bool(self._text[start + 1 : start + 2].strip())
        self._at += is_negated
        name, is_quoted = self._name(start)
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            self._ends(start)
            return Term(name="", operator="=", values=(Value(text=name, is_literal=is_quoted),), is_negated=is_negated)
        self._at = operator.end()
        values = self._values(start, name + operator.group())
        self._ends(start)
        return self._condition(start, name, operator.group(), values, is_negated=is_negated, is_quoted=is_quoted)

    def _name(self, start: int) -> tuple[str, bool]:
        if self._text[self._at] == '"':
            return self._quoted(), True
        found = _NAME.match(self._text, self._at)
        if found is None:
            end = self._end_of_word()
            sign = self._text[self._at : end]
            raise self._refused(f"a name is missing before “{sign}”, as in health{sign if sign[0] != ':' else ':<60'}",
                                start, end)  # fmt: skip
        self._at = found.end()
        return found.group(), False

    def _quoted(self) -> str:
        start = self._at
        read: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == '"':
                return "".join(read)
            if character == "\\" and self._text[self._at : self._at + 1] in ('"', "\\"):
                character = self._text[self._at]
                self._at += 1
            read.append(character)
        raise self._refused("these quotes do not end", start, len(self._text))

    def _values(self, start: int, before: str) -> tuple[Value, ...]:
        values: list[Value] = []
        while True:
            if len(values) == MOST_VALUES:
                raise self._refused(f"at most {MOST_VALUES} values of one condition", start, self._end_of_word())
            if self._text[self._at : self._at + 1] == '"':
                values.append(Value(text=self._quoted(), is_literal=True))
            elif found := _VALUE.match(self._text, self._at):
                values.append(Value(text=found.group()))
                self._at = found.end()
            else:
                raise self._refused(f"a value is missing after “{before}”", start, self._at)
            if self._text[self._at : self._at + 1] != ",":
                return tuple(values)
            self._at += 1

    def _ends(self, start: int) -> None:
        if self._at < len(self._text) and not self._text[self._at].isspace():
            end = self._end_of_word()
            wrong = self._text[start:end]
            raise self._refused(f"“{wrong}” is not understood: quote what belongs together, as in \"two words\"",
                                start, end)  # fmt: skip

    def _end_of_word(self) -> int:
        end = self._at
        while end < len(self._text) and not self._text[end].isspace():
            end += 1
        return max(end, self._at + 1)

    def _condition(
        self, start: int, name: str, sign: str, values: tuple[Value, ...], *, is_negated: bool, is_quoted: bool
    ) -> Term:
        word = sign.lstrip(":") or "="
        is_negated ^= word == "!="
        operator: Operator = {"!=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}.get(word, "=")  # type: ignore[assignment]  # they are the operators
        is_field = not is_quoted and name.lower() in FIELDS
        if not is_field and sign.startswith(":"):
            raise self._refused(_unknown(name), start, self._at)
        number = None
        if operator != "=" or (is_field and name.lower() in NUMBERS):
            number = self._number(start, name if not is_field else name.lower(), values, is_field=is_field)
        if is_field:
            name = name.lower()
            self._check(start, name, operator, values)
        return Term(
            name=name, operator=operator, values=values, is_field=is_field, is_negated=is_negated, number=number
        )

    def _number(self, start: int, name: str, values: tuple[Value, ...], *, is_field: bool) -> float:
        text = values[0].text
        if len(values) > 1:
            raise self._refused(f"{name} is compared with one number", start, self._at)
        if is_field and name == "age":
            found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
            if found is None:
                raise self._refused(f"“{text}” is no age: write 30m, 12h, 2d or 1w, as in age:<2d", start, self._at)
            return float(found.group(1)) * UNITS[found.group(2)]
        number = values[0].number
        if number is None or number != number:
            example = FIELDS[name] if is_field else f"{name}<0.5"
            raise self._refused(f"“{text}” is no number, which {name} is compared with, as in {example}",
                                start, self._at)  # fmt: skip
        return number

    def _check(self, start: int, name: str, operator: Operator, values: tuple[Value, ...]) -> None:
        if operator != "=" and name not in NUMBERS:
            raise self._refused(f"{name} is no number: write {FIELDS[name]}", start, self._at)
        known = {"status": STATUSES, "is": KINDS}.get(name, ())
        unknown = [value.text for value in values if known and value.text.lower() not in known]
        if unknown:
            words = f"{', '.join(known[:-1])} or {known[-1]}"
            raise self._refused(f"{name} is {words}, and never “{unknown[0]}”", start, self._at)

    def _refused(self, detail: str, start: int, end: int) -> SearchRefused:
        return SearchRefused(detail, place=(start, end))


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), FIELDS, n=1)
    meant = f"did you mean {near[0]}:?" if near else f"there are {', '.join(FIELDS)}."
    return f"there is nothing to ask for by “{name}:”; {meant} Settings and metrics are asked for by =, < and >"


def quoted(text: str) -> str:
    """A name or value as it is to be written, so that it is read as it is."""
    if re.fullmatch(r'[^\s:=<>!",*\\-][^\s:=<>!",*\\]*', text):
        return text
    return in_quotes(text)


def in_quotes(text: str) -> str:
    """A value as it is to be written, so that it is text and no number."""
    inside = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'
