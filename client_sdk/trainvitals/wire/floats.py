"""Float32 arrays in messages: raw bytes in msgpack, numbers in JSON, NaN and infinities intact in both."""

from __future__ import annotations

import array
import base64
import binascii
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from trainvitals.wire.errors import Malformed

FLOAT_BYTES: Final = 4
LARGEST: Final = (2 - 2**-23) * 2.0**127
_INFINITIES: Final = (math.inf, -math.inf)
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Floats:
    """An immutable run of float32, little-endian in ``data``.

    JSON has no non-finite numbers, so there they travel as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes | memoryview = b"") -> None:
        if len(data) % FLOAT_BYTES:
            raise Malformed(f"{len(data)} bytes are no whole number of float32 values")
        self.data = bytes(data)

    @classmethod
    def of(cls, values: Iterable[float]) -> Floats:
        """Pack numbers; a finite one beyond float32 becomes the largest there is, for an infinity would be an ill."""
        packed = array.array("f", map(_narrow, values))
        if sys.byteorder == "big":
            packed.byteswap()
        return cls(packed.tobytes())

    def tolist(self) -> list[float]:
        """The values as Python floats."""
        unpacked = array.array("f", self.data)
        if sys.byteorder == "big":
            unpacked.byteswap()
        return unpacked.tolist()

    def __len__(self) -> int:
        return len(self.data) // FLOAT_BYTES

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Floats) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"Floats(<{len(self)} values>)"


def _narrow(value: float) -> float:
    if -LARGEST <= value <= LARGEST or value != value or value in _INFINITIES:
        return value
    return LARGEST if value > 0 else -LARGEST


def json_numbers(values: Floats) -> list[float | str]:
    """The values as JSON can carry them."""
    return [v if math.isfinite(v) else _word(v) for v in values.tolist()]


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def from_json_numbers(values: Sequence[Any]) -> Floats:  # Any: whatever the sender's JSON holds
    """Numbers, ``null`` (read as NaN) and the three words back into float32."""
    return Floats.of([_number(value) for value in values])


def _number(value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value  # an integer may be beyond what becomes a float
    raise Malformed(f'{value!r} is no number: send numbers, null, "NaN", "Infinity" or "-Infinity"')


def from_base64(text: str) -> Floats:
    """Base64 of little-endian float32."""
    try:
        return Floats(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise Malformed(f"not base64: {error}") from error
