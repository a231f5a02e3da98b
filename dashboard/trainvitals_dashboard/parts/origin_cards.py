"""Where a run came from: its code, its data, its environment, and what is said of the rules that judge it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from dash import dcc, html

from trainvitals.wire.answers import RunDetail
from trainvitals.wire.facts import FACTS
from trainvitals.wire.naming import names_data
from trainvitals.wire.rules import ProjectRules
from trainvitals_dashboard import words
from trainvitals_dashboard.parts.cards import Piece, card, pill
from trainvitals_dashboard.parts.config_card import Row, rows_of
from trainvitals_dashboard.parts.findings import title_of
from trainvitals_dashboard.parts.patch import changed_files, patch_told
from trainvitals_dashboard.parts.settings_card import flat

CODE: Final = ("revision", "branch", "diff", "patch", "command")
KEEP: Final = "TRAINVITALS_KEEP_DIFF=1"
DIRTY: Final = "-dirty"
FIRST: Final = {  # of the environment, by what it is called
    "python": "Python", "torch": "PyTorch", "cuda": "CUDA", "trainvitals": "trainvitals", "host": "host",
    "system": "system", "cpus": "processors", "pid": "process",
}  # fmt: skip
CHECKSUM: Final = "input_checksum"
SEEN: Final = {  # facts, by what they are called
    "classes": "classes",
    "rows": "rows of a batch",
    "input_mean": "mean of the inputs",
    "input_std": "deviation of the inputs",
    CHECKSUM: "checksum of a batch",
}
_GPU: Final = re.compile(r"system/gpu(\d+)_")


def code_card(detail: RunDetail) -> html.Section:
    """Commit, branch, whether all was committed, and the command as it would be typed."""
    known = detail.environment
    revision, command = known.get("revision"), known.get("command")
    body: list[Piece] = []
    if isinstance(revision, str):
        is_dirty = revision.endswith(DIRTY)
        body.append(rows_of([("commit", revision.removesuffix(DIRTY)), *_of(known, "branch")]))
        body.append(html.P(_committed(known, is_dirty=is_dirty), className="tv-or-said"))
    else:
        body.append(_none("Of which code it is is not known: no git repository was found where the script ran. With ",
                          "git init", " and a commit the next run tells."))  # fmt: skip
    if command:
        typed = shlex.join(map(str, command)) if isinstance(command, list) else str(command)
        copy = dcc.Clipboard(content=typed, title="Copy the command", className="tv-cf-copy")
        body += [html.H3(["Command ", copy], className="tv-h3"), html.Code(typed, className="tv-or-command")]
    return card("Code", body, name="tv-or")


def patch_card(detail: RunDetail) -> Piece:
    """What was not committed, where it was kept; nothing where all was committed, or nothing is known."""
    patch = detail.environment.get("patch")
    if isinstance(patch, str) and patch:
        files = changed_files(patch)
        count = f"{len(files)} {'file' if len(files) == 1 else 'files'}"
        return card("Changes that were not committed", html.Div(patch_told(patch), className="tv-df-files"), sub=count)
    if not str(detail.environment.get("revision", "")).endswith(DIRTY):
        return None
    said = [
        "They were not kept, but a fingerprint of them: what one works on may hold secrets. Begin the training with ",
        html.Code(KEEP),
        ", and its next run shows them here; files that git does not know are left out.",
    ]
    return card("Changes that were not committed", html.Div(html.Span(said), className="tv-none"))


def data_card(detail: RunDetail) -> html.Section:
    """Settings that are called like data, and what the loss saw."""
    named = [(name, value) for name, value in flat(detail.config) if names_data(name)]
    seen = [
        (word, f"{last.value:.6g}" if fact == CHECKSUM and isinstance(last.value, float) else words.number(last.value))
        for fact, word in SEEN.items()
        if (last := detail.summary.last.get(FACTS + fact)) is not None
    ]
    body: list[Piece] = [rows_of(named)] if named else []
    if not named:
        body.append(_none("No setting names them. Keep their name and version: ", 'config={"data": "digits v3"}', "."))
    if seen:
        body += [html.H3("What the loss saw last", className="tv-h3"), rows_of(seen)]
    return card("Data", body, name="tv-or")


def environment_cards(detail: RunDetail) -> html.Section:
    """Versions, machine, and the packages that were loaded."""
    known = {name: value for name, value in detail.environment.items() if name not in CODE and value is not None}
    packages = known.pop("packages", None)
    rows = list(_environment(known))
    gpus = {found[1] for name in detail.summary.last if (found := _GPU.match(name))}
    rows += [("GPUs in use", str(len(gpus)))] if gpus else []
    if not rows and not packages:
        none = _none("Where it ran is not known: runs that begin with ", "tv.init", " look by themselves.")
        return card("Environment", none, name="tv-or")
    body: list[Piece] = [rows_of(rows)]
    if isinstance(packages, dict) and packages:
        of = sorted((str(name), str(version)) for name, version in packages.items())
        body += [html.H3(f"Packages that were loaded ({len(of)})", className="tv-h3"), rows_of(of)]
    return card("Environment", body, name="tv-or")


def rules_card(detail: RunDetail, told: ProjectRules | None) -> html.Section:
    """What the script and the project say of the rules that judge this run."""
    path = f"/rules?project={quote(detail.summary.project, safe='')}"
    settings = told.settings if told is not None else None
    muted = [(title_of(rule), "muted by the script") for rule in detail.muted]
    if settings is not None:
        muted += [(title_of(rule), f"muted in the project by {settings.by}") for rule in settings.muted]
        muted += [
            (f"{title_of(rule)}: {option}", str(value))
            for rule, options in sorted(settings.options.items())
            for option, value in options.items()
        ]
    all_ = dcc.Link("Rules of the project", href=path, className="tv-all")
    if not muted:
        said = _none("All are as they are by default. To change that: ", "trainvitals rules --help", ".")
        return card("Rules", said, right=all_, name="tv-or")
    return card("Rules", rows_of(muted), right=all_, name="tv-or")


def _committed(known: dict[str, Any], *, is_dirty: bool) -> list[Piece]:  # Any: as the SDK reported it
    if not is_dirty:
        return [pill("ok", "all was committed")]
    said = [pill("warning", "changed since"), html.Span("What git knew was changed and not committed.")]
    if known.get("diff"):
        said += [html.Span(["Fingerprint ", html.Code(str(known["diff"]))], title="The same change has the same one")]
    return said


def _of(known: dict[str, Any], *names: str) -> list[Row]:  # Any: as the SDK reported it
    return [(name, str(known[name])) for name in names if known.get(name)]


def _environment(known: dict[str, Any]) -> Iterator[Row]:  # Any: as the SDK reported it
    yield from ((word, str(known[name])) for name, word in FIRST.items() if name in known)
    yield from flat({name: value for name, value in known.items() if name not in FIRST})


def _none(before: str, code: str, after: str) -> html.Div:
    return html.Div(html.Span([before, html.Code(code), after]), className="tv-none")
