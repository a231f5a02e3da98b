"""Whatever is wrong with a frame, the receiver says so with a WireError and nothing worse."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from trainvitals.wire.coding import JSON, MSGPACK, encode
from trainvitals.wire.errors import AbsurdShape, ChecksumMismatch, Malformed, UnknownVersion, WireError
from trainvitals.wire.floats import Floats
from trainvitals.wire.frame import (
    MAX_STEP,
    Frame,
    LayerStats,
    Limits,
    MetricPoints,
    Section,
    decode_frame,
    encode_frame,
    matrix_of,
    section,
)

MATRIX = Floats.of([1.0, 2.0, 3.0, 4.0]).data
GOOD = Frame(
    run_id="r",
    writer=7,
    seq=3,
    layer_stats=LayerStats(steps=[0, 1], layers=["a", "b"], sections=[section("grad_norm", MATRIX)]),
    metrics=[MetricPoints(metric="loss", steps=[0, 1], values=Floats.of([2.0, 1.0]))],
)
LIMITS = Limits(max_steps=16, max_layers=4, max_stats=2, max_metrics=2, max_name_length=8, max_values=20)


def with_stats(**changes: Any) -> Frame:
    assert GOOD.layer_stats is not None
    return msgspec.structs.replace(GOOD, layer_stats=msgspec.structs.replace(GOOD.layer_stats, **changes))


def with_metric(**changes: Any) -> Frame:
    return msgspec.structs.replace(GOOD, metrics=[msgspec.structs.replace(GOOD.metrics[0], **changes)])


@pytest.mark.parametrize("media_type", [MSGPACK, JSON])
def test_a_frame_cut_short_anywhere_is_refused(media_type: str) -> None:
    whole = encode_frame(GOOD, media_type=media_type)

    for length in range(len(whole)):
        with pytest.raises(WireError):
            decode_frame(whole[:length], media_type=media_type)


@given(st.binary(max_size=200), st.sampled_from([MSGPACK, JSON]))
def test_noise_is_refused_and_nothing_worse(noise: bytes, media_type: str) -> None:
    with pytest.raises(WireError):
        decode_frame(noise, media_type=media_type)


@given(st.data())
def test_a_damaged_byte_is_refused_or_does_no_harm(data: st.DataObject) -> None:
    damaged = bytearray(encode_frame(GOOD))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(WireError):
        frame = decode_frame(bytes(damaged))
        if frame.layer_stats is not None:
            for part in frame.layer_stats.sections:
                matrix_of(part, layers=len(frame.layer_stats.layers), steps=len(frame.layer_stats.steps))


def test_a_damaged_value_shows_in_the_checksum() -> None:
    damaged = encode_frame(GOOD).replace(Floats.of([2.0, 1.0]).data, Floats.of([2.0, 1.5]).data)

    with pytest.raises(ChecksumMismatch, match="send it again"):
        decode_frame(damaged)


def test_a_checksum_is_asked_of_msgpack_but_not_of_json() -> None:
    assert decode_frame(encode(GOOD, media_type=JSON), media_type=JSON).checksum == -1

    with pytest.raises(ChecksumMismatch):
        decode_frame(encode(GOOD))


@pytest.mark.parametrize("version", [0, 2, -1, 2**40])
def test_an_unknown_version_is_named(version: int) -> None:
    with pytest.raises(UnknownVersion, match="upgrade") as caught:
        decode_frame(msgspec.msgpack.encode({"version": version, "something": "new"}))

    assert caught.value.version == version


@pytest.mark.parametrize(
    "message",
    [
        {"run_id": 5, "writer": 1, "seq": 0},
        {"run_id": "r", "writer": "one", "seq": 0},
        {"run_id": "r", "writer": 1},
        {"run_id": "r", "writer": 1, "seq": 0, "metrics": [{"metric": "loss", "steps": [0.5], "values": b"1234"}]},
        {"run_id": "r", "writer": 1, "seq": 0, "metrics": [{"metric": "loss", "steps": [0], "values": b"123"}]},
        {"run_id": "r", "writer": 1, "seq": 0, "metrics": [{"metric": "loss", "steps": [0], "values": [True]}]},
        [1, 2, 3],
        None,
    ],
)
def test_a_wrong_type_is_malformed(message: object) -> None:
    with pytest.raises(Malformed):
        decode_frame(msgspec.msgpack.encode(message))


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_deep_nesting_is_malformed(depth: int) -> None:
    with pytest.raises(Malformed):
        decode_frame(b"[" * depth, media_type=JSON)
    with pytest.raises(Malformed):
        decode_frame(b"\x91" * depth)


ABSURD = {
    "descending steps": with_stats(steps=[1, 0]),
    "a step twice": with_stats(steps=[1, 1]),
    "a negative step": with_stats(steps=[-1, 0]),
    "a step beyond 2**53": with_stats(steps=[0, MAX_STEP + 1]),
    "no steps": with_stats(steps=[]),
    "too many steps": with_stats(steps=list(range(17))),
    "a layer twice": with_stats(layers=["a", "a"]),
    "no layers": with_stats(layers=[]),
    "too many layers": with_stats(layers=list("abcde")),
    "a layer without a name": with_stats(layers=["a", ""]),
    "a layer named too long": with_stats(layers=["a", "b" * 9]),
    "a layer with NUL in its name": with_stats(layers=["a", "b\x00"]),
    "no stats": with_stats(sections=[]),
    "a stat twice": with_stats(sections=[section("s", MATRIX), section("s", MATRIX)]),
    "too many stats": with_stats(sections=[section(stat, MATRIX) for stat in "stu"]),
    "too little data": with_stats(sections=[section("s", MATRIX[:8])]),
    "too much data": with_stats(sections=[section("s", MATRIX * 2)]),
    "too little raw data": with_stats(sections=[section("s", MATRIX[:8], codec="raw")]),
    "too many plain values": with_stats(sections=[Section(stat="s", values=Floats(MATRIX * 2))]),
    "too many values": with_stats(steps=list(range(16)), layers=["a", "b"], sections=[section("s", MATRIX * 8)]),
    "a negative step of a metric": with_metric(steps=[0, -1]),
    "a step of a metric beyond 2**53": with_metric(steps=[0, 2**60]),
    "more steps than values": with_metric(steps=[0, 1, 2]),
    "a metric without a name": with_metric(metric=""),
    "too many metrics": msgspec.structs.replace(GOOD, metrics=GOOD.metrics * 3),
    "a run without an id": msgspec.structs.replace(GOOD, run_id=""),
    "a negative seq": msgspec.structs.replace(GOOD, seq=-1),
    "a negative writer": msgspec.structs.replace(GOOD, writer=-1),
    "a writer beyond 63 bits": msgspec.structs.replace(GOOD, writer=2**63),
}


@pytest.mark.parametrize("frame", ABSURD.values(), ids=ABSURD.keys())
def test_absurd_shapes_are_refused(frame: Frame) -> None:
    with pytest.raises(AbsurdShape):
        decode_frame(encode_frame(frame), limits=LIMITS)


def test_a_bomb_is_seen_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))

    with pytest.raises(AbsurdShape, match="50000000 bytes"):
        decode_frame(encode_frame(with_stats(sections=[Section(stat="s", codec="zstd", data=bomb)])))


def test_a_bomb_that_lies_of_its_size_does_not_go_off() -> None:
    honest = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(50_000_000))

    with pytest.raises(WireError):
        matrix_of(Section(stat="s", codec="zstd", data=honest), layers=2, steps=2)


def test_damaged_compressed_data_are_malformed() -> None:
    damaged = bytearray(section("s", MATRIX * 100).data)
    damaged[-3] ^= 0xFF
    damaged[9] ^= 0xFF

    with pytest.raises(WireError):
        matrix_of(Section(stat="s", codec="zstd", data=bytes(damaged)), layers=20, steps=20)
