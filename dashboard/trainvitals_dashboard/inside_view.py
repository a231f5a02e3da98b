"""What the page of a run's inside is about: what was chosen, and the pictures of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from trainvitals.wire.answers import LookedAt, LookedInto, Looks
from trainvitals.wire.looks import Picture, PictureKind
from trainvitals_dashboard.api import Api, ApiError

Query = Mapping[str, str]
OF_INPUT = ""  # the layer whose pictures are of the examples themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideView:
    """``step`` is one of the looks'; ``own`` are the layer's pictures at it, ``shown`` those of the examples."""

    looks: Looks
    layer: str = ""
    step: int = 0
    example: int = 0
    own: tuple[Picture, ...] = ()
    shown: tuple[Picture, ...] = ()

    @property
    def examples(self) -> int:
        """How many there are."""
        return max((picture.example for picture in (*self.shown, *self.own)), default=-1) + 1

    def of(self, kind: PictureKind) -> list[Picture]:
        """The layer's pictures of a kind: those of the chosen example, or of all together."""
        return [one for one in self.own if one.kind == kind and one.example in (-1, self.example)]

    def of_example(self, kind: PictureKind, example: int) -> Picture | None:
        """A picture of the example itself."""
        return next((one for one in self.shown if one.kind == kind and one.example == example), None)


async def looks_of(api: Api, run_id: str) -> Looks:
    """What there is of looks inside a run. Raises ApiError."""
    return await api.ask(_path(run_id), Looks)


async def view_of(api: Api, run_id: str, query: Query, *, looks: Looks | None = None) -> InsideView:
    """What an address asks for, which may hold anything; without looks there are no pictures. Raises ApiError."""
    looks = await looks_of(api, run_id) if looks is None else looks
    if not looks.steps:
        return InsideView(looks=looks)
    layer, step = layer_of(looks, query.get("layer", "")), step_of(looks, query.get("step", ""))
    own, shown = await asyncio.gather(*(pictures_of(api, run_id, name, step) for name in (layer, OF_INPUT)))
    view = InsideView(looks=looks, layer=layer, step=step, own=own, shown=shown)
    example = query.get("example", "")
    chosen = int(example) if example.isdecimal() and int(example) < view.examples else 0
    return InsideView(looks=looks, layer=layer, step=step, example=chosen, own=own, shown=shown)


def layers_of(looks: Looks) -> list[LookedAt]:
    """Those of the model, in its order."""
    return [one for one in looks.layers if one.layer != OF_INPUT]


def layer_of(looks: Looks, wanted: str) -> str:
    """The one that was asked for, if there are pictures of it, else the first."""
    names = [one.layer for one in layers_of(looks)]
    return wanted if wanted in names else next(iter(names), OF_INPUT)


def step_of(looks: Looks, wanted: str) -> int:
    """The last look's up to the step that was asked for, or else the newest."""
    if not wanted.isdecimal():
        return looks.steps[-1]
    return max((step for step in looks.steps if step <= int(wanted)), default=looks.steps[0])


async def pictures_of(api: Api, run_id: str, layer: str, step: int) -> tuple[Picture, ...]:
    """None where there are none of the layer at the step: those of a look before it would pass for it."""
    try:
        found = await api.ask(f"{_path(run_id)}/pictures", LookedInto, layer=layer, step=step)
    except ApiError as error:
        if error.status >= 500:
            raise
        return ()
    return tuple(found.pictures) if found.step == step else ()


def _path(run_id: str) -> str:
    return f"/api/v1/runs/{quote(run_id, safe='')}/looks"
