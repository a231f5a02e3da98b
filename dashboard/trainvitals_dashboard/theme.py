"""The look in one place: colours, scales and type, from which CSS variables, plots and Mantine are fed."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

import plotly.graph_objects as go

Scheme = Literal["light", "dark"]
Scale = list[tuple[float, str]]

FONT: Final = "'Inter Variable', Inter, system-ui, sans-serif"
MONO: Final = "'JetBrains Mono Variable', ui-monospace, monospace"

TOKENS: Final[dict[str, tuple[str, str]]] = {  # name: (light, dark)
    "bg": ("#f5f7f9", "#0b0f14"),
    "surface": ("#ffffff", "#121820"),
    "surface-2": ("#f1f4f7", "#19212b"),
    "line": ("#e3e8ed", "#222c38"),
    "grid": ("#edf0f3", "#1d2631"),
    "fg": ("#16202b", "#e8edf2"),
    "fg-2": ("#566472", "#9aa8b6"),
    "fg-3": ("#64717e", "#8290a0"),
    "accent": ("#0a6b7d", "#3bc9db"),
    "ok": ("#086f58", "#2fbf9b"),
    "warn": ("#855900", "#f0a92e"),
    "crit": ("#b3123f", "#ff6b4a"),
    "warn-fill": ("#e5a50a", "#f0a92e"),
    "info": ("#366496", "#6aa9e9"),
    "s1": ("#0072b2", "#56b4e9"),
    "s2": ("#d55e00", "#ff8a3d"),
    "s3": ("#009e73", "#7fe3c3"),
    "s4": ("#a2528a", "#d97bb6"),
    "s5": ("#3d3d3d", "#f5ea6e"),
}
TEXT_TOKENS: Final = ("fg", "fg-2", "fg-3", "accent", "ok", "warn", "crit", "info")
SERIES: Final = ("s1", "s2", "s3", "s4", "s5")

# Low recedes into the card, high stands out, luminance is monotone.
SEQUENTIAL: Final[dict[Scheme, Scale]] = {
    "light": [(0, "#f3f6f8"), (0.2, "#cfe3e6"), (0.4, "#8fc3cd"), (0.6, "#4495ad"), (0.8, "#1f6187"), (1, "#14305c")],
    "dark": [(0, "#121b25"), (0.2, "#17394a"), (0.4, "#1a6272"), (0.6, "#2f938f"), (0.8, "#86c794"), (1, "#f7f0b5")],
}
# Neutral is the card's colour, blue is too slow, orange too fast: only trouble glows.
DIVERGING: Final[dict[Scheme, Scale]] = {
    "light": [
        (0, "#143d6b"), (0.2, "#3f7fb5"), (0.4, "#bcd6e8"), (0.5, "#f6f6f4"), (0.6, "#f6d3b3"), (0.8, "#dd7a2b"),
        (1, "#8a3400"),
    ],
    "dark": [
        (0, "#8fd0ff"), (0.2, "#3f8fd0"), (0.4, "#1d4162"), (0.5, "#151c25"), (0.6, "#4f321b"), (0.8, "#d9782b"),
        (1, "#ffd0a0"),
    ],
}  # fmt: skip
NONFINITE: Final[dict[Scheme, Scale]] = {
    "light": [(0, TOKENS["crit"][0]), (1, TOKENS["crit"][0])],
    "dark": [(0, TOKENS["crit"][1]), (1, TOKENS["crit"][1])],
}
SCALES: Final = {"seq": SEQUENTIAL, "div": DIVERGING, "nonfinite": NONFINITE}

STATUS: Final[dict[str, tuple[str, str, str]]] = {  # what: (token, icon, word)
    "ok": ("ok", "circle-check", "Healthy"),
    "info": ("info", "info-circle", "Info"),
    "warning": ("warn", "alert-triangle", "Warning"),
    "critical": ("crit", "alert-octagon", "Critical"),
    "running": ("ok", "activity-heartbeat", "Running"),
    "finished": ("info", "circle-check", "Finished"),
    "stopped": ("fg-2", "player-stop", "Stopped"),
    "failed": ("crit", "circle-x", "Failed"),
    "lost": ("warn", "plug-off", "Lost"),
}

MANTINE: Final[dict[str, Any]] = {  # Any: Mantine's own theme object
    "fontFamily": FONT,
    "fontFamilyMonospace": MONO,
    "primaryColor": "tv",
    "primaryShade": {"light": 7, "dark": 4},
    "defaultRadius": "md",
    "headings": {"fontFamily": FONT, "fontWeight": "620"},
    "colors": {
        "tv": [
            "#e3fafc", "#c5f0f5", "#99e3ec", "#66d5e2", "#3bc9db", "#22b3c7", "#1098ad", "#0a6b7d", "#095c6b",
            "#074a57",
        ],
        # Mantine's greys look brown on blue-grey surfaces
        "dark": [
            "#e8edf2", "#c3ccd6", "#9aa8b6", "#6f7e8d", "#3a4655", "#2b3643", "#222c38", "#19212b", "#121820",
            "#0b0f14",
        ],
        "gray": [
            "#f5f7f9", "#f1f4f7", "#e3e8ed", "#d3dae1", "#b8c2cc", "#98a5b2", "#7b8896", "#566472", "#3a4653",
            "#16202b",
        ],
    },
    "fontSizes": {"xs": "12px", "sm": "13px", "md": "14px", "lg": "16px", "xl": "20px"},
    "spacing": {"xs": "8px", "sm": "12px", "md": "16px", "lg": "20px", "xl": "28px"},
    "radius": {"xs": "3px", "sm": "5px", "md": "8px", "lg": "12px", "xl": "20px"},
}  # fmt: skip

LABELS_PX: Final = 92  # left of wide plots, so that the steps of curves and heatmap stand above one another


def css() -> str:
    """The variables of both schemes, and the colour bars."""
    root = f":root{{--tv-font:{FONT};--tv-mono:{MONO}}}"
    light = f":root,[data-mantine-color-scheme=light]{{color-scheme:light;{_variables(0)}}}"
    dark = f"[data-mantine-color-scheme=dark]{{color-scheme:dark;{_variables(1)}}}"
    page = "html{background:var(--tv-bg)}"
    return root + light + dark + page + "".join(_bar(name, scheme) for name in ("seq", "div") for scheme in _SCHEMES)


def script() -> str:
    """The scales for the scripts that repaint heatmaps, which CSS cannot reach; and the scheme, put on the page before
    anything is drawn. Inside another site's page, a notebook's, a browser may bar the storage that keeps it."""
    return (
        f"window.tvScales={json.dumps(SCALES)};{{let scheme;"
        "try{scheme=localStorage.getItem('mantine-color-scheme-value')}catch{}"
        "if(scheme!=='light'&&scheme!=='dark')"
        "scheme=matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light';"
        "document.documentElement.setAttribute('data-mantine-color-scheme',scheme)}"
    )


_SCHEMES: Final[tuple[Scheme, Scheme]] = ("light", "dark")


def _variables(scheme: int) -> str:
    return "".join(f"--tv-{name}:{colours[scheme]};" for name, colours in TOKENS.items())


def _bar(name: str, scheme: Scheme) -> str:
    stops = ",".join(f"{colour} {at:.0%}" for at, colour in SCALES[name][scheme])
    return f"[data-mantine-color-scheme={scheme}] .tv-cbar-{name}{{background:linear-gradient(90deg,{stops})}}"


def template() -> go.layout.Template:
    """Geometry and type alone: colours come from CSS (assets/20-plot.css), so that one figure serves both schemes."""
    axis = {"showgrid": True, "zeroline": False, "ticks": "", "showline": False, "tickfont": {"size": 11}}
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": LABELS_PX, "r": 12, "t": 8, "b": 24},
            "xaxis": axis,
            "yaxis": {**axis, "ticklabelstandoff": 4},
            "showlegend": False,
            "hovermode": "x",
            "hoverdistance": 10,  # the last finite value is not the one of a gap
            # plotly writes in the border's colour: a transparent one hides the text, whatever CSS says of its fill
            "hoverlabel": {"font": {"family": FONT, "size": 12, "color": TOKENS["fg"][0]}},
            "dragmode": "zoom",
        }
    )


TEMPLATE: Final = template()
GRAPH_CONFIG: Final = {
    "displaylogo": False,
    "responsive": True,
    "doubleClick": "autosize",
    "displayModeBar": False,
    "showTips": False,  # plotly's notices cover what stands at the window's edge; 43-zoom.js says it in the chart
}
