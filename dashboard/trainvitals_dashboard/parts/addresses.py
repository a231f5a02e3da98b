"""Where the pages of runs and layers are: layers' names may hold whatever a module's may, and a model that is one bare
module has an empty one."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

UNNAMED: Final = (
    "(model)"  # in place of the empty name: quoting never leaves brackets, so no other layer is found there
)


def run_path(run_id: str) -> str:
    """Of a run."""
    return f"/runs/{quote(run_id, safe='')}"


def run_at(segment: str) -> str:
    """The run that a part of an address names, as the browser has it: still quoted."""
    return unquote(segment)


def layers_path(run_id: str) -> str:
    """Of all layers of a run."""
    return f"{run_path(run_id)}/layers"


def layer_path(run_id: str, layer: str) -> str:
    """Of one layer."""
    return f"{layers_path(run_id)}/{quote(layer, safe='') or UNNAMED}"


def layer_at(segment: str) -> str:
    """The layer that the last part of an address names, as the browser has it: still quoted."""
    return "" if segment == UNNAMED else unquote(segment)


def layer_asked(query: str) -> str | None:
    """The layer that an address's query names (``layer=``), if it names one."""
    return None if not query else "" if query == UNNAMED else query


def layer_word(layer: str) -> str:
    """The name as it is shown."""
    return layer or "(the model itself)"
