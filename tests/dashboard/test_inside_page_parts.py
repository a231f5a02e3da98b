"""The page of a run's inside: pictures as they were seen, their scale, what can be chosen, and how to begin."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from dash import html
from msgspec.structs import replace

from trainvitals.wire.answers import LookedAt, Looks
from trainvitals.wire.looks import MARKED, Picture
from trainvitals_dashboard.figures import pixels
from trainvitals_dashboard.inside_view import InsideView, layer_of, step_of
from trainvitals_dashboard.parts.frozen import Frozen
from trainvitals_dashboard.parts.inside_body import SNIPPET, whole
from trainvitals_dashboard.parts.inside_examples import examples_card
from trainvitals_dashboard.parts.inside_layer import layer_blocks, newest_look
from trainvitals_dashboard.parts.inside_pictures import activity_told, strip
from trainvitals_dashboard.parts.inside_tree import structure_card
from trainvitals_dashboard.parts.layer_rows import LayerRow

MAP = Picture(
    kind="activation", example=0, tiles=2, height=1, width=3, low=0.0, high=2.0, of=[0, 5], shape=[4, 8, 1, 3],
    data=bytes([0, 127, 254, MARKED, 0, 0]),
)  # fmt: skip
INPUT = Picture(kind="input", example=0, height=1, width=3, high=1.0, shape=[4, 1, 1, 3], data=bytes([0, 127, 254]))
ACTIVITY = Picture(kind="activity", height=1, width=4, high=1.0, shape=[4, 4], data=bytes([0, 127, 254, MARKED]))
LOOKS = Looks(
    run_id="r",
    steps=[0, 3, 10],
    layers=[
        LookedAt(layer="", kinds=["input"], steps=[0, 3, 10]),
        LookedAt(layer="stem", kinds=["activation"], steps=[0, 3, 10], shape=[4, 8, 14, 10]),
        LookedAt(layer="blocks.0.attn", kinds=["attention"], steps=[0, 3, 10]),
    ],
)
ROWS = [LayerRow(name="stem", kind="Conv2d", parameters=216), LayerRow(name="head", kind="Linear", parameters=90)]


def decoded(url: str) -> dict[bytes, bytes]:
    """The chunks of a PNG, each with a checksum that is right."""
    png = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(name + data)
        chunks[name] = data
        at += length + 12
    return chunks


def colours(url: str) -> list[tuple[int, ...]]:
    """Of all places of a picture with a palette, row by row."""
    chunks = decoded(url)
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    rows = zlib.decompress(chunks[b"IDAT"])
    palette = chunks[b"PLTE"]
    places = [place for row in range(height) for place in rows[row * (width + 1) + 1 : (row + 1) * (width + 1)]]
    return [tuple(palette[3 * place : 3 * place + 3]) for place in places]


def texts(piece: Any) -> list[str]:
    if isinstance(piece, str):
        return [piece]
    parts = piece if isinstance(piece, list) else [getattr(piece, "children", None)]
    return [text for part in parts if part is not None for text in texts(part)]


def found(piece: Any, kind: type) -> list[Any]:
    own = [piece] if isinstance(piece, kind) else []
    parts = piece if isinstance(piece, (list, tuple)) else [getattr(piece, "children", None)]
    return own + [one for part in parts if part is not None and not isinstance(part, str) for one in found(part, kind)]


def test_a_picture_has_a_colour_for_each_value_and_another_for_what_is_not_finite() -> None:
    first, second = pixels.tiles(MAP)

    assert colours(first) == [(0x44, 0x01, 0x54), colours(first)[1], (0xFD, 0xE7, 0x25)]
    assert colours(second)[0] == pixels.NOT_FINITE
    assert pixels.has_not_finite(MAP)


def test_luminance_grows_with_the_value() -> None:
    row = np.array(colours(pixels.bar(MAP)), np.float64) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(row) > -1.0).all()
    assert row[-1] > row[0] + 150


def test_values_on_both_sides_of_zero_part_at_zero_wherever_the_scale_ends() -> None:
    signed = replace(MAP, low=-1.0, high=3.0, tiles=1, data=bytes([0, 64, 254]))
    low, zero, high = (np.array(colour, int) for colour in colours(pixels.tiles(signed)[0]))

    assert zero.min() > 235
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert abs(low - zero).sum() < abs(high - zero).sum()


def test_colours_are_as_they_were_and_overlays_let_through_what_is_low() -> None:
    coloured = replace(INPUT, width=1, channels=3, data=bytes([254, 0, 127]))
    assert zlib.decompress(decoded(pixels.tiles(coloured)[0])[b"IDAT"]) == bytes([0, 255, 0, 127])
    alpha = decoded(pixels.tiles(INPUT, look="over")[0])[b"tRNS"]
    assert (alpha[0], alpha[254] > 200, alpha[255]) == (0, True, 255)


def test_bytes_stand_for_values_of_the_scale() -> None:
    assert pixels.values(MAP)[0].ravel().tolist() == pytest.approx([0.0, 1.0, 2.0])
    assert np.isnan(pixels.values(MAP)[1, 0, 0, 0])


def test_an_address_may_ask_for_what_is_not_there() -> None:
    assert [step_of(LOOKS, word) for word in ("", "3", "9", "99", "never")] == [10, 3, 3, 10, 10]
    assert [layer_of(LOOKS, word) for word in ("blocks.0.attn", "nobody", "")] == ["blocks.0.attn", "stem", "stem"]


def test_maps_tell_which_channels_they_are_and_their_scale() -> None:
    blocks = layer_blocks(InsideView(looks=LOOKS, layer="stem", own=(MAP,), shown=(INPUT,)))

    assert {"Activation maps", "2 of 8 channels, example 0", "5", "0", "2", "not finite"} <= set(texts(blocks))
    assert [image.alt for image in found(blocks, html.Img)][-2:] == ["channel 0", "channel 5"]


def test_only_the_chosen_example_is_shown() -> None:
    other = replace(MAP, example=1, tiles=1, of=[7], data=bytes(3))
    view = InsideView(looks=LOOKS, layer="stem", example=1, own=(MAP, other), shown=(INPUT,))

    assert "1 of 8 channels, example 1" in texts(layer_blocks(view))
    assert "2 of 8 channels, example 0" not in texts(layer_blocks(view))


def test_activity_is_told_in_words() -> None:
    assert activity_told(ACTIVITY) == "of 4 units 1 never, 1 always above zero, 1 not finite"
    bars = found(strip(ACTIVITY), html.I)
    assert [place for place, bar in enumerate(bars) if bar.style["height"] == "100%"] == [0, 5, 9]
    assert bars[-1].title == "90 to 100 %: 1 unit"


def test_examples_can_be_chosen_and_say_which_is() -> None:
    second = replace(INPUT, example=1)
    saliency = replace(INPUT, kind="saliency", target=7)
    card = examples_card(InsideView(looks=LOOKS, layer="stem", shown=(INPUT, second, saliency)))

    buttons = [button.to_plotly_json()["props"] for button in found(card, html.Button)]
    assert [(one["data-inside-example"], one["aria-pressed"]) for one in buttons] == [("0", "true"), ("1", "false")]
    assert "Saliency of class 7" in texts(card)


def test_rows_of_numbers_stand_together() -> None:
    table = replace(INPUT, example=-1, height=3, width=1)
    card = examples_card(InsideView(looks=LOOKS, layer="stem", shown=(table,)))

    assert {"Input", "examples ↓ features →", "3 examples, kept from one batch"} <= set(texts(card))


def test_the_structure_has_shapes_and_parameters_and_marks_what_is_chosen() -> None:
    card = structure_card("r", ROWS, InsideView(looks=LOOKS, layer="stem"))

    (tree,) = found(card, Frozen)
    links = [dict(re.findall(r'([\w-]+)="([^"]*)"', link)) for link in re.findall(r"<a [^>]*>", tree.html)]
    (stem,) = [link for link in links if link["title"] == "stem"]
    assert (stem["aria-current"], stem["data-inside-layer"]) == ("true", "stem")
    assert ">8 × 14 × 10<" in tree.html
    assert ">216<" in tree.html
    assert "?layer=blocks.0.attn" in [link["href"] for link in links]
    (unseen,) = [link for link in links if link["title"].startswith("head: was not looked into")]
    assert unseen["href"] == "/runs/r/layers/head"


def test_without_a_look_the_page_teaches_how_to_begin() -> None:
    body = whole("r", ROWS, InsideView(looks=Looks(run_id="r")))

    assert "run.probe(next(iter(loader)))" in SNIPPET
    assert SNIPPET in texts(body)
    assert "Structure" in texts(body)


def test_the_layers_own_page_has_its_newest_pictures_and_the_way_to_all() -> None:
    view = InsideView(looks=LOOKS, layer="stem", step=10, own=(MAP,))
    (card,) = newest_look(view, "stem", run_id="r")

    assert "after step 10, example 0" in texts(card)
    assert found(card, html.A)[0].href == "/runs/r/inside?layer=stem"
    assert newest_look(view, "head", run_id="r") == []
