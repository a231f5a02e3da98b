"""Looks inside: what the network makes of a few examples at one step, as small pictures of eight bits a place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, get_args

import msgspec
import zstandard

from trainvitals.wire import coding
from trainvitals.wire.errors import AbsurdShape, Malformed, UnknownVersion
from trainvitals.wire.packing import Codec, pack, unpack

VERSION: Final[Literal[1]] = 1
PictureKind = Literal["input", "saliency", "activation", "filter", "attention", "activity", "class_activation"]
KINDS: Final[tuple[PictureKind, ...]] = get_args(PictureKind)

LEVELS: Final = 254  # the bytes 0 to 254 stand for low to high, evenly …
MARKED: Final = 255  # … and this one for what is not finite
ALL: Final = -1  # in the place of an example: of all of them together

MAX_STEP: Final = 2**53
MAX_LAYERS: Final = 2_000  # of a look
MAX_PICTURES: Final = 512  # of a layer
MAX_SIDE: Final = 1_024  # of a picture, and the most tiles and marks that it has
MAX_BYTES: Final = 4 * 1024 * 1024  # of a look, unpacked
MAX_NAME: Final = 512


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Tiles of one size: uint8 [tiles, height, width, channels], packed by ``codec``. The bytes 0 to 254 stand for the
    values from ``low`` to ``high``, 255 for what is not finite. Of three ``channels`` they are red, green and blue.

    ``example``: counted from 0 within the probe; -1: all of them, or none. ``of``: which channels (heads, filters,
    units) of the ``shape`` that was looked at the tiles are, or the columns of one tile. ``target``: the class whose
    score was asked for.
    """

    kind: PictureKind
    example: int = ALL
    tiles: int = 1
    height: int
    width: int
    channels: Literal[1, 3] = 1
    low: float = 0.0
    high: float = 0.0
    of: list[int] = []
    shape: list[int] = []
    target: int | None = None
    codec: Codec = "raw"
    data: bytes = b""

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return self.tiles * self.height * self.width * self.channels


class LayerPictures(msgspec.Struct, frozen=True, kw_only=True):
    """The pictures of one layer; those of the layer "" are of the examples themselves."""

    layer: str
    pictures: list[Picture]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen after the optimizer's step ``step``, layers in the model's order. ``POST
    /api/v1/runs/{run_id}/looks``; one at a step that was looked at before takes the earlier one's place, so that
    sending it again is harmless. ``examples``: how many the probe has."""

    version: Literal[1] = VERSION
    step: int
    examples: int = 0
    layers: list[LayerPictures]


class _Version(msgspec.Struct):
    version: int = VERSION


def packed(picture: Picture, *, codec: Codec = "zstd") -> Picture:
    """A raw picture, packed."""
    return msgspec.structs.replace(picture, codec=codec, data=pack(picture.data, codec, item_bytes=1))


def pixels(picture: Picture) -> bytes:
    """uint8 [tiles, height, width, channels]. Raises AbsurdShape, Malformed."""
    return unpack(picture.data, picture.codec, size=picture.size, item_bytes=1)


def decode_look(data: bytes, *, media_type: str = coding.MSGPACK) -> Look:
    """Bytes as a look, checked. Raises UnknownVersion, Malformed, AbsurdShape."""
    version = coding.decode(data, _Version, media_type=media_type).version
    if version != VERSION:
        raise UnknownVersion(version)
    look = coding.decode(data, Look, media_type=media_type)
    check_look(look)
    return look


def check_look(look: Look) -> None:
    """Raise AbsurdShape, or Malformed, unless sizes agree with each other and stay within the limits."""
    if not 0 <= look.step <= MAX_STEP:
        raise AbsurdShape(f"a look at step {look.step}: steps count from 0 to 2⁵³")
    if not 0 < len(look.layers) <= MAX_LAYERS or len({part.layer for part in look.layers}) != len(look.layers):
        raise AbsurdShape(f"a look at {len(look.layers)} layers: between 1 and {MAX_LAYERS:,}, each once")
    whole = 0
    for part in look.layers:
        if len(part.layer) > MAX_NAME or "\x00" in part.layer:
            raise AbsurdShape(f"names have at most {MAX_NAME} characters, none of them NUL: {part.layer[:60]!r}")
        if not 0 < len(part.pictures) <= MAX_PICTURES:
            raise AbsurdShape(f"{len(part.pictures)} pictures of layer {part.layer!r}: between 1 and {MAX_PICTURES}")
        for picture in part.pictures:
            _check_picture(picture, layer=part.layer)
            whole += picture.size
    if whole > MAX_BYTES:
        raise AbsurdShape(f"the look's pictures unpack to {whole:,} bytes: at most {MAX_BYTES:,}")
    for part in look.layers:  # now that all of it together is known to be bearable
        for picture in part.pictures:
            pixels(picture)


def _check_picture(picture: Picture, *, layer: str) -> None:
    said = f"a picture ({picture.kind}) of layer {layer!r}"
    sides = (picture.tiles, picture.height, picture.width)
    if not all(0 < side <= MAX_SIDE for side in sides):
        raise AbsurdShape(f"{said} of {sides[0]} tiles of {sides[1]} × {sides[2]}: each between 1 and {MAX_SIDE:,}")
    if len(picture.of) > MAX_SIDE or len(picture.shape) > 16:
        raise AbsurdShape(f"{said} names at most {MAX_SIDE:,} parts, of at most 16 dimensions")
    numbers = [picture.example + 1, *picture.of, *picture.shape, picture.target or 0]
    if not all(0 <= number <= MAX_STEP for number in numbers):
        raise AbsurdShape(f"{said}: examples, parts, dimensions and targets count from 0 to 2⁵³")
    if not (math.isfinite(picture.low) and math.isfinite(picture.high) and picture.low <= picture.high):
        raise Malformed(f"{said}: its scale, {picture.low} to {picture.high}, does not go from a number to a larger")
    stated = len(picture.data)
    if picture.codec == "zstd":
        try:
            stated = zstandard.frame_content_size(picture.data)
        except zstandard.ZstdError as error:
            raise Malformed(f"{said}: not a zstd frame") from error
    if stated != picture.size:
        raise AbsurdShape(f"{said}: {stated} bytes of data where {picture.size} were expected")


def superfluous(steps: Sequence[int], *, newest: int, past: int) -> list[int]:
    """Which of the steps (ascending) a run goes without, so that at most the ``newest`` and ``past`` older ones are
    kept: of the older ones, but for the first, those that lie closest between their neighbours."""
    kept, gone = list(steps), list[int]()
    while len(kept) > newest + past:
        older = range(1, len(kept) - newest)
        gaps = [later - earlier for earlier, later in pairwise(kept)]
        place = min(older, key=lambda at: gaps[at - 1] + gaps[at])
        gone.append(kept.pop(place))
    return gone
