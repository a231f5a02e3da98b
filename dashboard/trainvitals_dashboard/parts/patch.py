"""What was changed and not committed, file by file, as git tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dash import html

from trainvitals_dashboard.parts.cards import Piece

MOST_LINES: Final = 400  # of a file
MOST_FILES: Final = 100
OPEN_LINES: Final = 60  # of all files: more are folded in
LOOKS: Final = {"+": "add", "-": "del", "@": "at"}  # by the line's first sign


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file of a patch: its ``name`` after the change, and the ``lines`` from its first hunk on."""

    name: str
    lines: Sequence[str]

    @property
    def added(self) -> int:
        """How many lines."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """How many lines."""
        return sum(line.startswith("-") for line in self.lines)


def changed_files(patch: str) -> list[ChangedFile]:
    """The files of what ``git diff`` says."""
    parts = ("\n" + patch).split("\ndiff --git ")[1:]
    return [_file(part.splitlines()) for part in parts]


def patch_told(patch: str) -> list[Piece]:
    """Each file folded, but where all are short."""
    files = changed_files(patch)
    is_open = sum(len(file.lines) for file in files) <= OPEN_LINES
    told: list[Piece] = [_told(file, is_open=is_open) for file in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        told.append(html.P(f"{len(files) - MOST_FILES} more files.", className="tv-sub"))
    if patch.endswith("…"):
        told.append(html.P("The end was left out: it is longer than what is kept.", className="tv-sub"))
    return told


def _file(lines: Sequence[str]) -> ChangedFile:
    hunks = next((place for place, line in enumerate(lines) if line.startswith("@@")), len(lines))
    head = lines[1:hunks]
    # "a/train.py b/train.py", in which both may hold spaces
    name = lines[0].rpartition(" b/")[2].removesuffix('"')
    named = {line[:4]: line[6:].rstrip() for line in head if line.startswith(("+++ b/", "--- a/"))}
    notes = [line for line in head if not line.startswith(("+++", "---", "index "))]
    return ChangedFile(
        name=named.get("+++ ", named.get("--- ", name)), lines=[*(f" {note}" for note in notes), *lines[hunks:]]
    )


def _told(file: ChangedFile, *, is_open: bool) -> html.Details:
    head = [
        html.Code(file.name),
        html.Span([html.B(f"+{file.added:,}", className="tv-ok"), html.B(f"−{file.removed:,}", className="tv-crit")]),
    ]
    lines: list[Piece] = [_line(line) for line in file.lines[:MOST_LINES]]
    if len(file.lines) > MOST_LINES:
        lines.append(html.Span(f"… {len(file.lines) - MOST_LINES:,} more lines", className="tv-df-at"))
    code = html.Pre(lines, className="tv-df", tabIndex=0, **{"aria-label": f"Changes of {file.name}"})
    return html.Details(
        [html.Summary(head), code], open=is_open, className="tv-df-file", **{"data-fold": f"patch {file.name}"}
    )


def _line(line: str) -> html.Span:
    look = LOOKS.get(line[:1])
    return html.Span(f"{line}\n", className=f"tv-df-{look}" if look else None)
