"""Messages to bytes and back, as msgpack and as JSON."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from trainvitals.wire.errors import Malformed, WireError
from trainvitals.wire.floats import Floats, from_base64, from_json_numbers, json_numbers

MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"

T = TypeVar("T")


def _encode_msgpack_extra(value: Any) -> Any:  # Any: msgspec's hooks are untyped
    if isinstance(value, Floats):
        return value.data
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")


def _encode_json_extra(value: Any) -> Any:  # Any: msgspec's hooks are untyped
    if isinstance(value, Floats):
        return json_numbers(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")


def _decode_extra(kind: type, value: Any) -> Any:  # Any: msgspec's hooks are untyped
    if kind is Floats:
        if isinstance(value, bytes):
            return Floats(value)
        if isinstance(value, list):
            return from_json_numbers(value)
        if isinstance(value, str):
            return from_base64(value)
    raise Malformed(f"{type(value).__name__} where {kind.__name__} was expected")


_msgpack = msgspec.msgpack.Encoder(enc_hook=_encode_msgpack_extra)
_json = msgspec.json.Encoder(enc_hook=_encode_json_extra)
_msgpack_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}
_json_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(message: object, *, media_type: str = MSGPACK) -> bytes:
    """A message as bytes."""
    return (_msgpack if media_type == MSGPACK else _json).encode(message)


def decode(data: bytes, kind: type[T], *, media_type: str = MSGPACK) -> T:
    """Bytes as a message of type ``kind``. Raises Malformed, saying where."""
    decoders: dict[Any, Any] = _msgpack_decoders if media_type == MSGPACK else _json_decoders
    decoder = decoders.get(kind)
    if decoder is None:
        make: Any = msgspec.msgpack.Decoder if media_type == MSGPACK else msgspec.json.Decoder
        decoder = decoders.setdefault(kind, make(kind, dec_hook=_decode_extra))
    try:
        message: T = decoder.decode(data)
    except WireError:
        raise
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Malformed(str(error)) from error
    return message
