"""Looks in a store: each step once, the past thinned, gone with their run."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.sample_frames import RUN, start
from trainvitals.wire.looks import LayerPictures, Look, Picture, pixels
from trainvitals_server.store.interface import RunNotFound, SeriesNotFound, Store
from trainvitals_server.store.looks import NEWEST, PAST


def picture(value: int, **changes: object) -> Picture:
    one = Picture(kind="activation", example=0, height=1, width=2, high=1.0, shape=[4, 3, 1, 2], data=bytes([value, 9]))
    return replace(one, **changes)


def look(step: int, value: int = 0, layers: tuple[str, ...] = ("", "b", "a")) -> Look:
    filters = picture(value, kind="filter", example=-1)
    return Look(step=step, layers=[LayerPictures(layer=name, pictures=[filters, picture(value)]) for name in layers])


def test_gives_the_pictures_of_a_layer_at_a_step_or_before_it(store: Store) -> None:
    start(store)
    for step, value in ((0, 10), (5, 11), (20, 12)):
        store.keep_look(RUN, look(step, value))

    assert [store.pictures(RUN, "a", step=step).step for step in (0, 4, 5, 19, 20, None)] == [0, 0, 5, 5, 20, 20]
    found = store.pictures(RUN, "a", step=5)
    assert [(one.kind, pixels(one)[0]) for one in found.pictures] == [("filter", 11), ("activation", 11)]


def test_tells_layers_in_the_models_order_with_what_there_is_of_each(store: Store) -> None:
    start(store)
    store.keep_look(RUN, look(0, layers=("old", "b")))
    store.keep_look(RUN, look(7))

    looks = store.looks(RUN)
    assert looks.steps == [0, 7]
    assert [(one.layer, one.steps) for one in looks.layers] == [("", [7]), ("b", [0, 7]), ("a", [7]), ("old", [0])]
    assert looks.layers[1].kinds == ["activation", "filter"]
    assert looks.layers[1].shape == [4, 3, 1, 2]


def test_a_step_that_is_looked_at_again_keeps_what_came_last(store: Store) -> None:
    start(store)
    store.keep_look(RUN, look(3, 1))
    store.keep_look(RUN, look(3, 2, layers=("a",)))

    assert [one.layer for one in store.looks(RUN).layers] == ["a"]
    assert pixels(store.pictures(RUN, "a").pictures[0])[0] == 2


def test_keeps_at_most_so_many_however_many_come(store: Store) -> None:
    start(store)
    for step in range(NEWEST + PAST + 30):
        store.keep_look(RUN, look(step, layers=("a",)))

    steps = store.looks(RUN).steps
    assert len(steps) == NEWEST + PAST
    assert steps[0] == 0
    assert steps[-NEWEST:] == list(range(PAST + 30, NEWEST + PAST + 30))


def test_says_what_is_not_there(store: Store) -> None:
    with pytest.raises(RunNotFound):
        store.keep_look(RUN, look(0))
    start(store)
    assert (store.looks(RUN).steps, store.looks(RUN).layers) == ([], [])
    store.keep_look(RUN, look(5))
    with pytest.raises(SeriesNotFound, match="until step 4"):
        store.pictures(RUN, "a", step=4)
    with pytest.raises(SeriesNotFound, match="'nobody'"):
        store.pictures(RUN, "nobody")


def test_goes_with_its_run(store: Store) -> None:
    start(store)
    store.keep_look(RUN, look(5))
    store.delete_run(RUN)
    start(store)

    assert store.looks(RUN).steps == []
