"""How a page looks, in a form that is the same on every machine, and the references that it is held against.

Browsers draw text a little differently from machine to machine, so pictures are not compared pixel by pixel. Two things
are: where the parts of the page stand (the fonts come with the page, hence they stand where they stood), and the whole
picture, made so small that each of its points is the mean of EVERY × EVERY pixels.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from tests.browser.every_page import QUIET_MS, STILL

REFERENCES: Final = Path(__file__).parent / "references"
BOXES: Final = "boxes.json"
EVERY: Final = 8  # pixels to a point
NEAR_PX: Final = 4.0  # a part may stand so far off
FAINT: Final = 20  # of 255: a point that differs by less is rounding, or the edge of a letter
ALLOWED_SHARE: Final = 0.004  # of points that differ by more
PARTS: Final = (
    "h1, h2, nav, form, input, [role=dialog], .tv-card, .tv-kpi, .tv-health, .tv-notice, .tv-empty, .tv-runhead, "
    ".js-plotly-plot, .ag-row, .tv-mc, .tv-rail-a, .tv-tab"
)
MEASURED: Final = """parts => [...document.querySelectorAll(parts)].map(part => {
  const {x, y, width, height} = part.getBoundingClientRect();
  const name = part.getAttribute('aria-label') || (part.matches('h1, h2, a') ? part.textContent : '');
  return [`${part.tagName.toLowerCase()} ${name.trim()}`.trim(), ...[x, y, width, height].map(Math.round)];
}).filter(([, , , width, height]) => width && height)"""
HEIGHT: Final = "() => document.documentElement.scrollHeight"
HOLD: Final = (
    "*,*::before,*::after{animation:none!important;transition:none!important;caret-color:transparent!important}"
)

Points = NDArray[np.uint8]
Box = list[Any]  # [name, x, y, width, height], as JSON has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """``boxes``: where the parts are. ``points``: uint8 [height, width, 3], the small picture."""

    boxes: list[Box]
    points: Points


def unroll(page: Page) -> None:
    """Make the window as high as all of the page, and hold what moves."""
    before = page.viewport_size
    assert before is not None, "a page of a test has a size"
    page.add_style_tag(content=HOLD)
    page.set_viewport_size({"width": before["width"], "height": max(before["height"], page.evaluate(HEIGHT))})
    page.evaluate(STILL, QUIET_MS)


def look_at(page: Page) -> Look:
    """As the page is now, in its window."""
    boxes: list[Box] = page.evaluate(MEASURED, PARTS)
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    size = max(1, picture.width // EVERY), max(1, picture.height // EVERY)
    return Look(boxes=boxes, points=np.asarray(picture.resize(size, Image.Resampling.BOX)))


def changes(now: Look, then: Look) -> list[str]:
    """What differs, in words; nothing if it looks as it did."""
    told = _moved(now.boxes, then.boxes)
    if now.points.shape[1] != then.points.shape[1] or abs(len(now.points) - len(then.points)) * EVERY > NEAR_PX:
        return [*told, f"the page is {_size(now)} and was {_size(then)}"]
    rows = min(len(now.points), len(then.points))
    far = np.abs(now.points[:rows].astype(int) - then.points[:rows]).max(axis=2) > FAINT
    if far.mean() > ALLOWED_SHARE:
        ys, xs = np.nonzero(far)
        where = f"x {xs.min() * EVERY}–{(xs.max() + 1) * EVERY}, y {ys.min() * EVERY}–{(ys.max() + 1) * EVERY}"
        told.append(f"{far.mean():.1%} of the picture differ, within {where}")
    return told


def keep(looks: dict[str, Look], *, others: bool = False, folder: Path = REFERENCES) -> None:
    """These are the references from now on; ``others``: beside those that are there, else there are no others."""
    folder.mkdir(exist_ok=True)
    told = folder / BOXES
    boxes: dict[str, list[Box]] = json.loads(told.read_text()) if others and told.exists() else {}
    for old in [] if others else folder.glob("*.png"):
        old.unlink()
    for name, look in looks.items():
        Image.fromarray(look.points).save(folder / f"{name}.png", optimize=True)
    boxes |= {name: look.boxes for name, look in looks.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(parts, ensure_ascii=False)}" for name, parts in sorted(boxes.items())]
    told.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def reference(name: str, *, folder: Path = REFERENCES) -> Look:
    """What was kept under this name. Raises FileNotFoundError or KeyError: `make looks` keeps one."""
    picture = Image.open(folder / f"{name}.png").convert("RGB")
    return Look(boxes=json.loads((folder / BOXES).read_text())[name], points=np.asarray(picture))


def _moved(now: Sequence[Box], then: Sequence[Box]) -> list[str]:
    there, before = Counter(box[0] for box in now), Counter(box[0] for box in then)
    told = [f"{name} is new" for name in (there - before)] + [f"{name} is gone" for name in (before - there)]
    if told:
        return told
    numbered = zip(sorted(now, key=_order), sorted(then, key=_order), strict=True)
    return [
        f"{one[0]} is at {one[1:]} and was at {other[1:]}"
        for one, other in numbered
        if max(abs(a - b) for a, b in zip(one[1:], other[1:], strict=True)) > NEAR_PX
    ]


def _order(box: Box) -> tuple[Any, ...]:  # Any: a name, then numbers
    return box[0], box[2], box[1]


def _size(look: Look) -> str:
    return f"{look.points.shape[1] * EVERY} × {look.points.shape[0] * EVERY} pixels"
