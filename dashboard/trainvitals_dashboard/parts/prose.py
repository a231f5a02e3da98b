"""Sentences in which code stands out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dash import html

from trainvitals_dashboard.parts.cards import Piece

_WITHIN: Final = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"  # brackets three deep
_CALL: Final = rf"[A-Za-z_][\w.]*(?!\(s\)){_WITHIN}(?:\.\w+(?:{_WITHIN})?)*"
_KEYWORD: Final = r"[a-z_]\w*=(?:\([\w., ]+\)|'[^']*'|\"[^\"]*\"|[\w.-]*\w)"
_NAME: Final = r"(?:torch|nn|model|optimizer|self)(?:\.\w+)+"
_CODE: Final = re.compile(rf"(?<![\w.])(?:{_CALL}|{_KEYWORD}|{_NAME})")


def with_code(sentence: str) -> list[Piece]:
    """The sentence with calls, keyword arguments and dotted names of PyTorch in the look of code."""
    return list(_parts(sentence))


def _parts(sentence: str) -> Iterator[str | html.Code]:
    at = 0
    for found in _CODE.finditer(sentence):
        if found.start() > at:
            yield sentence[at : found.start()]
        yield html.Code(found[0], className="tv-inline")
        at = found.end()
    if at < len(sentence):
        yield sentence[at:]
