"""Histograms travel in frames bit by bit, and only in shapes that are possible."""

from __future__ import annotations

import array
import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainvitals.wire.coding import JSON, decode, encode
from trainvitals.wire.errors import AbsurdShape, ChecksumMismatch, Malformed, WireError
from trainvitals.wire.frame import Frame, Limits, decode_frame, encode_frame
from trainvitals.wire.histograms import CELLS, VALUE_KINDS, HistogramPart, Histograms, ValueKind, cells_of, part
from trainvitals.wire.packing import Codec

names = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
codecs: st.SearchStrategy[Codec] = st.sampled_from(["raw", "zstd"])


@st.composite
def histograms(draw: st.DrawFn) -> Histograms:
    steps = draw(st.lists(st.integers(0, 2**53), min_size=1, max_size=3, unique=True).map(sorted))
    layers = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    kinds = draw(st.lists(st.sampled_from(VALUE_KINDS), min_size=1, unique=True))
    size = len(layers) * len(steps) * CELLS * 2
    cells = st.binary(min_size=size, max_size=size)
    return Histograms(steps=steps, layers=layers, parts=[part(kind, draw(cells), codec=draw(codecs)) for kind in kinds])


def frame_of(taken: Histograms | None) -> Frame:
    return Frame(run_id="r", writer=7, seq=3, histograms=taken)


def good(**changes: Any) -> Frame:
    cells = array.array("H", range(2 * 2 * CELLS)).tobytes()
    whole = Histograms(steps=[0, 10], layers=["a", "b"], parts=[part("weights", cells), part("gradients", cells)])
    return frame_of(msgspec.structs.replace(whole, **changes))


@given(histograms())
def test_msgpack_keeps_every_cell(taken: Histograms) -> None:
    received = decode_frame(encode_frame(frame_of(taken))).histograms

    assert received == taken
    shape = {"layers": len(taken.layers), "steps": len(taken.steps)}
    for sent, came in zip(taken.parts, received.parts, strict=True):
        assert cells_of(came, **shape) == cells_of(sent, **shape)


@given(histograms())
def test_json_may_say_the_cells_as_plain_numbers(taken: Histograms) -> None:
    shape = {"layers": len(taken.layers), "steps": len(taken.steps)}
    cells = [cells_of(given, **shape) for given in taken.parts]
    plain = [
        HistogramPart(kind=given.kind, values=array.array("H", data).tolist())
        for given, data in zip(taken.parts, cells, strict=True)
    ]
    sent = encode_frame(frame_of(msgspec.structs.replace(taken, parts=plain)), media_type=JSON)
    received = decode_frame(sent, media_type=JSON).histograms

    assert received is not None
    assert [cells_of(given, **shape) for given in received.parts] == cells


def test_a_frame_of_before_is_as_valid_as_it_was() -> None:
    old = {"run_id": "r", "writer": 7, "seq": 3, "metrics": [{"metric": "loss", "steps": [0], "values": [1.0]}]}

    assert decode_frame(msgspec.json.encode(old), media_type=JSON).histograms is None
    assert decode(encode(old), Frame).histograms is None


def test_a_damaged_cell_shows_in_the_checksum() -> None:
    raw = part("weights", bytes(CELLS * 2 - 1) + b"\x07", codec="raw")
    sent = encode_frame(frame_of(Histograms(steps=[0], layers=["a"], parts=[raw])))

    with pytest.raises(ChecksumMismatch):
        decode_frame(sent.replace(raw.data, raw.data[:-1] + b"\x08"))


@given(st.data())
def test_a_damaged_byte_is_refused_or_does_no_harm(data: st.DataObject) -> None:
    damaged = bytearray(encode_frame(good()))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(WireError):
        taken = decode_frame(bytes(damaged)).histograms
        for given in taken.parts if taken else ():
            cells_of(given, layers=len(taken.layers), steps=len(taken.steps))


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("no steps", {"steps": []}),
    ("steps that fall", {"steps": [10, 0]}),
    ("steps below 0", {"steps": [-1, 0]}),
    ("one step too many", {"steps": [0, 10, 20]}),
    ("no layers", {"layers": []}),
    ("a layer twice", {"layers": ["a", "a"]}),
    ("a layer without a name", {"layers": ["a", ""]}),
    ("one layer too many", {"layers": ["a", "b", "c"]}),
    ("no kinds", {"parts": []}),
    ("a kind twice", {"parts": [part("weights", bytes(4 * CELLS * 2))] * 2}),
    ("too few cells", {"parts": [part("weights", bytes(4 * CELLS * 2 - 2))]}),
    ("half a cell", {"parts": [part("weights", bytes(4 * CELLS * 2 + 1), codec="raw")]}),
    ("too many numbers", {"parts": [HistogramPart(kind="weights", values=[0] * (4 * CELLS + 1))]}),
    ("a share above all", {"parts": [HistogramPart(kind="weights", values=[65_536] * 4 * CELLS)]}),
    ("a share below nothing", {"parts": [HistogramPart(kind="weights", values=[-1] * 4 * CELLS)]}),
]


@pytest.mark.parametrize(("what", "changes"), WRONG, ids=[what for what, _ in WRONG])
def test_refuses_what_cannot_be(what: str, changes: dict[str, Any]) -> None:
    with pytest.raises(AbsurdShape):
        decode_frame(encode_frame(msgspec.structs.replace(good(**changes), checksum=1)))


@pytest.mark.parametrize("data", [b"", b"no zstd", part("weights", bytes(4 * CELLS * 2)).data[:-1]])
def test_refuses_what_cannot_be_unpacked(data: bytes) -> None:
    damaged = HistogramPart(kind="weights", codec="zstd", data=data)

    with pytest.raises((Malformed, AbsurdShape)):
        decode_frame(encode_frame(good(parts=[damaged])))


def test_refuses_more_than_it_is_willing_to_take() -> None:
    with pytest.raises(AbsurdShape, match="more than 500 values"):
        decode_frame(encode_frame(good()), limits=Limits(max_values=500))


@pytest.mark.parametrize("kind", ["updates", "", None, 3])
def test_refuses_kinds_that_nobody_knows(kind: Any) -> None:
    unknown: ValueKind = kind
    strange = HistogramPart(kind=unknown, codec="raw", data=bytes(4 * CELLS * 2))

    with pytest.raises(Malformed):
        decode_frame(encode_frame(good(parts=[strange])))
