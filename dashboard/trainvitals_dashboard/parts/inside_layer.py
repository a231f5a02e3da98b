"""One layer from the inside: its maps, filters, heads, units, and where in the example it finds the class."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from dash import html

from trainvitals.wire.looks import ALL, Picture
from trainvitals_dashboard.figures.pixels import Look
from trainvitals_dashboard.inside_view import InsideView
from trainvitals_dashboard.parts.addresses import layer_path, layer_word, run_path
from trainvitals_dashboard.parts.cards import Piece, card
from trainvitals_dashboard.parts.inside_pictures import activity_told, block, cells, laid_over, strip, tiles

CLASS_ACTIVATION = "where the layer finds the class (Grad-CAM)"


def layer_pictures(view: InsideView, *, run_id: str, is_layer: bool) -> html.Section:
    """The card of the chosen layer; ``is_layer``: it has a page of its own."""
    told = next((one for one in view.looks.layers if one.layer == view.layer), None)
    right = html.A("Stats of this layer", href=layer_path(run_id, view.layer), className="tv-way", **{"data-go": ""})
    sub = f"gives out {size(told.shape[1:])}" if told and len(told.shape) > 1 else None
    body: Piece = layer_blocks(view) or html.Div("No pictures of this layer at this step.", className="tv-none")
    title = layer_word(view.layer)
    return card(title, body, sub=sub, right=right if is_layer else None, name="tv-in-layer")


def newest_look(view: InsideView, layer: str, *, run_id: str) -> list[Piece]:
    """For the layer's own page: its pictures of the newest look, and the way to all; nothing without any."""
    if view.layer != layer or not view.own:
        return []
    href = f"{run_path(run_id)}/inside?layer={quote(layer, safe='')}"
    right = html.A("All looks inside", href=href, className="tv-way", **{"data-go": ""})
    sub = f"after step {view.step:,}, example {view.example}"
    return [card("Inside", layer_blocks(view), sub=sub, right=right, name="tv-in-layer")]


def layer_blocks(view: InsideView) -> list[Piece]:
    """All that there is of the layer, for the chosen example."""
    found = [
        _maps(view.of("activation"), view),
        _class_activation(view),
        _attention(view.of("attention"), view),
        _filters(view.of("filter")),
        _activity(view.of("activity")),
    ]
    return [part for part in found if part is not None]


def size(shape: Sequence[int]) -> str:
    """As "8 × 14 × 10"."""
    return " × ".join(f"{side:,}" for side in shape)


def _maps(pictures: list[Picture], view: InsideView) -> Piece:
    if not pictures:
        return None
    picture = pictures[0]
    if len(picture.shape) >= 4:
        said = f"{picture.tiles} of {picture.shape[1]} channels, example {view.example}"
        return block("Activation maps", said, tiles(picture), scaled=picture)
    if picture.example == ALL:
        few = f", {picture.width} of {picture.shape[1]}" if picture.width < picture.shape[-1] else ""
        return block("Activations", f"examples ↓ units →{few}", cells(picture), scaled=picture)
    said = f"tokens ↓ units →, example {view.example}"
    return block("Activations", said, cells(picture), scaled=picture)


def _class_activation(view: InsideView) -> Piece:
    pictures = view.of("class_activation")
    if not pictures:
        return None
    picture = pictures[0]
    below = view.of_example("input", picture.example)
    of = "" if picture.target is None else f"class {picture.target}: "
    over = laid_over(below, picture, alt=f"Class activation of example {picture.example}")
    look: Look = "values" if below is None else "over"
    body = html.Div(over, className="tv-in-one")
    return block("Class activation", f"{of}{CLASS_ACTIVATION}", body, scaled=picture, look=look)


def _attention(pictures: list[Picture], view: InsideView) -> Piece:
    if not pictures:
        return None
    heads = pictures[0].shape[1] if len(pictures[0].shape) > 1 else pictures[0].tiles
    said = f"{pictures[0].tiles} of {heads} heads, queries ↓ keys →, example {view.example}"
    return block("Attention", said, tiles(pictures[0], name="tv-in-heads"), scaled=pictures[0])


def _filters(pictures: list[Picture]) -> Piece:
    if not pictures:
        return None
    picture = pictures[0]
    whole = picture.shape[0] if picture.shape else picture.tiles
    mean = ", mean over what they see" if len(picture.shape) == 4 and picture.shape[1] not in (1, 3) else ""
    said = f"{picture.tiles} of {whole}, weights{mean}"
    return block("Filters", said, tiles(picture, name="tv-in-small"), scaled=picture)


def _activity(pictures: list[Picture]) -> Piece:
    if not pictures:
        return None
    return block("Activity of units", activity_told(pictures[0]), strip(pictures[0]))
