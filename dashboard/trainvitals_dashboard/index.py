"""The HTML that every page begins as: Dash's, with scripts that change their address with their content, without those
that no page needs at once, and with what is asked for before they run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from dash import Dash
from dash.fingerprint import check_fingerprint

from trainvitals_dashboard.static import PLOTLY, marked, replacements

EARLY: Final = (Path(__file__).parent / "early.js").read_text()
GRAPH: Final = "/_dash-component-suites/dash/dcc/async-graph.js"  # without which Dash draws no chart
TABLE: Final = ("dash_ag_grid", "dash_ag_grid.min.js")  # fetched where there is one, by assets/06-table.js
NOT_AT_FIRST: Final = frozenset({TABLE, ("dash", "dash_table/bundle.js")})  # the latter is of tables that no page has
FONTS: Final = "".join(
    f'<link rel="preload" as="font" type="font/woff2" href="/assets/fonts/{name}-latin.woff2" crossorigin>'
    for name in ("inter", "jetbrains-mono")
)
SCRIPT: Final = re.compile(r'<script src="(/_dash-component-suites/(\w+)/([^"?]+))"></script>\n?')


class Index(Dash):  # type: ignore[misc]  # Dash is not typed
    """The Dash application whose pages begin so."""

    def interpolate_index(self, **parts: Any) -> str:  # Any: Dash's own pieces of HTML, by their names
        """Dash's HTML of a page."""
        addresses = json.dumps({"plotly": marked(*PLOTLY), "graph": GRAPH, "table": marked(*TABLE)})
        parts["css"] += f"{FONTS}<script>window.tvScripts={addresses};{EARLY}</script>"
        parts["scripts"] = SCRIPT.sub(_script, parts["scripts"])
        return str(super().interpolate_index(**parts))


def _script(tag: re.Match[str]) -> str:
    file = (tag[2], check_fingerprint(tag[3])[0])
    if file in NOT_AT_FIRST:
        return ""
    return f'<script src="{marked(*file)}"></script>\n' if file in replacements() else tag[0]
