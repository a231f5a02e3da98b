"""Frames and floats survive both codecs."""

from __future__ import annotations

import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from trainvitals.wire.coding import JSON, MSGPACK, decode, encode
from trainvitals.wire.floats import LARGEST, Floats
from trainvitals.wire.frame import (
    MAX_STEP,
    Frame,
    LayerStats,
    MetricPoints,
    Section,
    decode_frame,
    encode_frame,
    matrix_of,
    section,
)
from trainvitals.wire.packing import Codec

names = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
ascending_steps = st.lists(st.integers(0, MAX_STEP), min_size=1, max_size=5, unique=True).map(sorted)
codecs: st.SearchStrategy[Codec] = st.sampled_from(["raw", "zstd"])


def bit_patterns(count: int) -> st.SearchStrategy[bytes]:
    """Any float32 at all, NaN payloads included."""
    return st.binary(min_size=4 * count, max_size=4 * count)


@st.composite
def layer_stats(draw: st.DrawFn) -> LayerStats:
    steps = draw(ascending_steps)
    layers = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    stats = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    matrices = bit_patterns(len(layers) * len(steps))
    sections = [section(stat, draw(matrices), codec=draw(codecs)) for stat in stats]
    return LayerStats(steps=steps, layers=layers, sections=sections)


@st.composite
def metric_points(draw: st.DrawFn) -> MetricPoints:
    steps = draw(st.lists(st.integers(0, MAX_STEP), min_size=1, max_size=5))
    return MetricPoints(metric=draw(names), steps=steps, values=Floats(draw(bit_patterns(len(steps)))))


frames = st.builds(
    Frame,
    run_id=names,
    writer=st.integers(0, 2**63 - 1),
    seq=st.integers(0, 2**63 - 1),
    rank=st.integers(0, 1000),
    attempt=st.integers(0, 1000),
    layer_stats=st.none() | layer_stats(),
    metrics=st.lists(metric_points(), max_size=3),
)


@given(frames)
def test_msgpack_keeps_every_bit_of_a_frame(frame: Frame) -> None:
    received = decode_frame(encode_frame(frame))

    assert received.layer_stats == frame.layer_stats
    assert received.metrics == frame.metrics
    assert (received.run_id, received.writer, received.seq) == (frame.run_id, frame.writer, frame.seq)


@given(frames)
def test_a_frame_encoded_twice_is_the_same_bytes(frame: Frame) -> None:
    assert encode_frame(decode_frame(encode_frame(frame))) == encode_frame(frame)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_json_keeps_each_number_and_says_which_are_none(numbers: list[float]) -> None:
    steps = list(range(len(numbers)))
    frame = Frame(
        run_id="r",
        writer=1,
        seq=0,
        checksum=-1,
        layer_stats=LayerStats(
            steps=steps, layers=["fc"], sections=[Section(stat="grad_norm", values=Floats.of(numbers))]
        ),
        metrics=[MetricPoints(metric="loss", steps=steps, values=Floats.of(numbers))],
    )

    received = decode_frame(encode(frame, media_type=JSON), media_type=JSON)

    assert received.layer_stats is not None
    kept = Floats(matrix_of(received.layer_stats.sections[0], layers=1, steps=len(steps)))
    assert same(kept.tolist(), numbers)
    assert same(received.metrics[0].values.tolist(), numbers)


def same(left: list[float], right: list[float]) -> bool:
    """Equal, NaN to NaN and zero to zero of the same sign."""
    return all(
        (math.isnan(a) and math.isnan(b)) or struct.pack("<f", a) == struct.pack("<f", b)
        for a, b in zip(left, right, strict=True)
    )


@given(st.lists(st.floats(width=32), max_size=10), st.sampled_from([JSON, MSGPACK]))
def test_floats_survive_both_ways(numbers: list[float], media_type: str) -> None:
    packed = Floats.of(numbers)

    assert same(decode(encode(packed, media_type=media_type), Floats, media_type=media_type).tolist(), numbers)


def test_json_spells_what_is_no_number_in_words() -> None:
    assert encode(Floats.of([math.nan, math.inf, -math.inf, 1.5]), media_type=JSON) == (
        b'["NaN","Infinity","-Infinity",1.5]'
    )


def test_json_null_is_read_as_nan() -> None:
    assert math.isnan(decode(b"[null]", Floats, media_type=JSON).tolist()[0])


@given(st.floats(allow_nan=False) | st.integers(min_value=-(10**400), max_value=10**400))
def test_a_finite_number_that_float32_cannot_hold_stays_finite(number: float) -> None:
    kept = Floats.of([number]).tolist()[0]

    if abs(number) > LARGEST and number not in (math.inf, -math.inf):
        assert kept == (LARGEST if number > 0 else -LARGEST)
    else:
        assert kept == number or math.isclose(kept, number, rel_tol=1e-6, abs_tol=1e-44)


@given(st.binary(max_size=400).map(lambda data: data[: len(data) // 4 * 4]), codecs)
def test_packing_loses_nothing(matrix: bytes, codec: Codec) -> None:
    part = section("grad_norm", matrix, codec=codec)

    assert matrix_of(part, layers=1, steps=len(matrix) // 4) == matrix
