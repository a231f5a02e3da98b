"""Pictures of eight bits as PNG: each byte by a palette, or red, green and blue as they are."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainvitals.wire.looks import LEVELS, MARKED, Picture, pixels

Bytes = NDArray[np.uint8]
Look = Literal["values", "light", "over"]

# Viridis: luminance is monotone, and those who do not see red and green apart read it as well.
VALUES: Final = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")
# Of what is above and below zero: blue below, orange above, zero light.
SIGNED: Final[tuple[str, ...]] = ("#143d6b", "#3f7fb5", "#bcd6e8", "#f6f6f4", "#f6d3b3", "#dd7a2b", "#8a3400")
LIGHT: Final = ("#000000", "#ffffff")
OVER: Final = ("#3b0f70", "#b63679", "#fb8861", "#fcfdbf")  # laid over a picture: what is low is not seen
NOT_FINITE: Final = (255, 0, 200)  # in none of the palettes
_STOPS: Final[dict[Look, tuple[str, ...]]] = {"values": VALUES, "light": LIGHT, "over": OVER}
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PALETTE, _COLOURS = 3, 2


def is_signed(picture: Picture) -> bool:
    """Whether it has values on both sides of zero, which then are told apart."""
    return picture.low < 0 < picture.high


def tiles(picture: Picture, *, look: Look = "values") -> list[str]:
    """A PNG for each tile, as a data URL. Raises WireError."""
    shape = (picture.tiles, picture.height, picture.width, picture.channels)
    places = np.frombuffer(pixels(picture), np.uint8).reshape(shape)
    if picture.channels == 3:
        return [_url(_png(_coloured(tile), _COLOURS)) for tile in places]
    colours = _palette(picture, look)
    alpha = _alpha() if look == "over" else None
    return [_url(_png(tile[..., 0], _PALETTE, palette=colours, alpha=alpha)) for tile in places]


def bar(picture: Picture, *, look: Look = "values") -> str:
    """The colours from its lowest value to its highest, as a data URL of one row."""
    row = np.arange(LEVELS + 1, dtype=np.uint8).reshape(1, -1)
    return _url(_png(row, _PALETTE, palette=_palette(picture, look), alpha=_alpha() if look == "over" else None))


def values(picture: Picture) -> NDArray[np.float64]:
    """float64 [tiles, height, width, channels]; NaN for what is not finite. Raises WireError."""
    shape = (picture.tiles, picture.height, picture.width, picture.channels)
    places = np.frombuffer(pixels(picture), np.uint8).reshape(shape).astype(np.float64)
    found = picture.low + (picture.high - picture.low) * (places / LEVELS)
    return np.where(places == MARKED, np.nan, found)


def has_not_finite(picture: Picture) -> bool:
    """Whether any of its places is marked. Raises WireError."""
    return MARKED in pixels(picture)


def _palette(picture: Picture, look: Look) -> Bytes:
    """uint8 [256, 3]."""
    if look == "values" and is_signed(picture):
        most = max(-picture.low, picture.high)
        at = (np.linspace(picture.low / most, picture.high / most, LEVELS + 1) + 1) / 2
        stops = SIGNED
    else:
        at, stops = np.linspace(0, 1, LEVELS + 1), _STOPS[look]
    known = np.array([[int(stop[place : place + 2], 16) for place in (1, 3, 5)] for stop in stops], np.float64)
    places = np.linspace(0, 1, len(stops))
    colours = np.stack([np.interp(at, places, known[:, channel]) for channel in range(3)], axis=1)
    return np.concatenate([colours.round().astype(np.uint8), np.array([NOT_FINITE], np.uint8)])


def _alpha() -> bytes:
    """Of each palette's entry: what is low lets through what is below."""
    seen = (np.linspace(0, 1, LEVELS + 1) ** 0.7 * 230).astype(np.uint8)
    return bytes(seen) + b"\xff"


def _coloured(tile: Bytes) -> Bytes:
    """Red, green and blue of the whole range; what is not finite in any of them, in the mark's colour."""
    whole = np.minimum(tile.astype(np.uint16) * 255 // LEVELS, 255).astype(np.uint8)
    whole[(tile == MARKED).any(axis=-1)] = NOT_FINITE
    return whole


def _png(places: Bytes, kind: int, *, palette: Bytes | None = None, alpha: bytes | None = None) -> bytes:
    height, width = places.shape[:2]
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))]
    if palette is not None:
        parts.append(_chunk(b"PLTE", palette.tobytes()))
    if alpha is not None:
        parts.append(_chunk(b"tRNS", alpha))
    rows = b"".join(b"\0" + row.tobytes() for row in places)  # each row says that it is not filtered
    parts += [_chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b"")]
    return _SIGNATURE + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
