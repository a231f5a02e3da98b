"""Looks inside, as they travel: every byte comes back, and what cannot be is refused with its reason."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from trainvitals.wire import coding
from trainvitals.wire.errors import AbsurdShape, Malformed, UnknownVersion, WireError
from trainvitals.wire.looks import LayerPictures, Look, Picture, decode_look, packed, pixels, superfluous
from trainvitals.wire.recording import pack, unpack

PICTURE = Picture(
    kind="activation", example=1, tiles=2, height=2, width=3, low=-1.0, high=2.5, of=[0, 7], shape=[4, 8, 2, 3],
    data=bytes(range(12)),
)  # fmt: skip


def look(*pictures: Picture, **changes: Any) -> Look:
    parts = [LayerPictures(layer="0", pictures=list(pictures or [PICTURE]))]
    return replace(Look(step=3, examples=4, layers=parts), **changes)


@pytest.mark.parametrize("media_type", [coding.MSGPACK, coding.JSON])
@pytest.mark.parametrize("picture", [PICTURE, packed(PICTURE)])
def test_every_byte_comes_back(media_type: str, picture: Picture) -> None:
    sent = look(picture)
    received = decode_look(coding.encode(sent, media_type=media_type), media_type=media_type)

    assert received == sent
    assert pixels(received.layers[0].pictures[0]) == bytes(range(12))


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (look(replace(PICTURE, width=4)), AbsurdShape, "12 bytes of data where 16"),
        (look(replace(packed(PICTURE), width=4)), AbsurdShape, "12 bytes of data where 16"),
        (look(replace(PICTURE, height=0)), AbsurdShape, "each between 1 and"),
        (look(replace(PICTURE, tiles=5000, data=b"")), AbsurdShape, "each between 1 and"),
        (look(replace(PICTURE, example=-2)), AbsurdShape, "count from 0"),
        (look(replace(PICTURE, low=3.0)), Malformed, "its scale"),
        (look(replace(PICTURE, high=math.inf)), Malformed, "its scale"),
        (look(replace(PICTURE, codec="zstd")), Malformed, "not a zstd frame"),
        (look(step=-1), AbsurdShape, "steps count from 0"),
        (look(layers=[]), AbsurdShape, "0 layers"),
        (look(layers=[LayerPictures(layer="0", pictures=[])]), AbsurdShape, "0 pictures of layer '0'"),
        (look(layers=[LayerPictures(layer="a\0", pictures=[PICTURE])]), AbsurdShape, "none of them NUL"),
        (look(layers=[LayerPictures(layer="0", pictures=[PICTURE])] * 2), AbsurdShape, "each once"),
        (
            look(*[packed(Picture(kind="input", height=1024, width=1024, data=bytes(2**20)))] * 5),
            AbsurdShape,
            "unpack to 5,242,880 bytes",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong: Look, error: type[WireError], said: str) -> None:
    with pytest.raises(error, match=said):
        decode_look(coding.encode(wrong))


def test_another_version_is_refused() -> None:
    with pytest.raises(UnknownVersion):
        decode_look(coding.encode({"version": 2, "step": 0, "layers": []}))


def test_a_recorded_run_carries_its_looks() -> None:
    start = coding.encode({"project": "p", "name": "n", "started_at": 1.0})
    file = pack("run", [("start", start), ("look", coding.encode(look())), ("look", coding.encode(look(step=9)))])

    assert [one.step for one in unpack(file).looks] == [3, 9]


def test_the_newest_are_kept_whole_and_the_past_evenly() -> None:
    steps = list(range(0, 1000, 10))
    kept = [step for step in steps if step not in superfluous(steps, newest=4, past=4)]

    assert kept[-4:] == [960, 970, 980, 990]
    assert kept[0] == 0
    assert len(kept) == 8
    gaps = [later - earlier for earlier, later in pairwise(kept[:5])]
    assert max(gaps) <= 3 * min(gaps)
    assert superfluous([1, 2, 3], newest=2, past=1) == []
