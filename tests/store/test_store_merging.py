"""What becomes of frames that are merged, on each database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from tests.store.sample_frames import (
    RUN,
    WHOLE,
    merge_all,
    metric_frame,
    start,
)
from trainvitals.wire.errors import WireError
from trainvitals.wire.messages import RunEnd
from trainvitals_server.store.interface import Store


@pytest.mark.slow
def test_two_mergers_and_three_appenders_lose_and_double_nothing(store: Store) -> None:
    start(store)
    done = threading.Event()

    def send(writer: int) -> None:
        for seq in range(60):
            first = (seq * 3 + writer) * 8
            store.append([metric_frame(seq, range(first, first + 8), np.arange(first, first + 8.0), writer=writer)])

    def merge() -> None:
        while not done.is_set():
            store.merge(force=True)

    with ThreadPoolExecutor(5) as pool:
        mergers = [pool.submit(merge) for _ in range(2)]
        for sender in [pool.submit(send, writer) for writer in range(3)]:
            sender.result()
        done.set()
        for merger in mergers:
            merger.result()

    for _ in ("as it is", "merged"):
        curve = store.metric_curve(RUN, "loss", span=WHOLE, points=10_000)
        assert curve.steps == list(range(1440))
        assert curve.mean.tolist() == curve.steps
        merge_all(store)


def test_merges_only_what_is_worth_it(store: Store) -> None:
    start(store)
    store.end_run(RUN, RunEnd(status="finished", ended_at=1002.0, last_step=3))
    store.append([metric_frame(0, [1, 2, 3], [1.0, 2.0, 3.0])])

    assert (store.merge(), store.merge()) == (1, 0)


def test_a_late_frame_changes_only_the_chunk_that_it_falls_into(store: Store) -> None:
    start(store)
    for seq in range(8):
        steps = [step for step in range(seq * 4096, (seq + 1) * 4096) if step != 5000]
        store.append([metric_frame(seq, steps, [float(step) for step in steps])])
    assert merge_all(store) > 2

    store.append([metric_frame(8, [5000, 40_000], [5000.0, 40_000.0])])

    assert merge_all(store) == 2
    curve = store.metric_curve(RUN, "loss", span=WHOLE, points=100_000)
    assert curve.steps == [*range(8 * 4096), 40_000]
    assert curve.mean.tolist() == curve.steps


def test_a_late_frame_between_two_chunks_keeps_every_point_in_its_place(store: Store) -> None:
    start(store)
    wide = [[*range(9000)], [*range(20_000, 29_000)]]
    for seq, steps in enumerate(part[at : at + 4000] for part in wide for at in range(0, len(part), 4000)):
        store.append([metric_frame(seq, steps, [float(step) for step in steps])])
        merge_all(store)

    for seq, step in enumerate((15_000, 100, 16_000, 28_999, 12_000)):
        store.append([metric_frame(50 + seq, [step], [-1.0])])
        merge_all(store)

    curve = store.metric_curve(RUN, "loss", span=WHOLE, points=100_000)
    assert curve.steps == sorted({*wide[0], *wide[1], 12_000, 15_000, 16_000})
    assert [step for step, value in zip(curve.steps, curve.mean.tolist(), strict=True) if value < 0] == [
        100, 12_000, 15_000, 16_000, 28_999,
    ]  # fmt: skip
    thin = store.metric_curve(RUN, "loss", span=WHOLE, points=50)
    assert (thin.steps[0], thin.last_steps[-1], min(thin.low.tolist())) == (0, 28_999, -1.0)


def test_a_run_whose_frames_a_disk_has_damaged_holds_up_no_other(store: Store, database_url: str) -> None:
    for run_id in ("damaged", "sound"):
        start(store, run_id)
    store.append([metric_frame(seq, [seq], [1.0], run_id="damaged") for seq in range(3)])
    store.append([metric_frame(0, [1], [1.0], run_id="sound")])
    damage(database_url, run_id="damaged")

    with pytest.raises(WireError):
        store.merge(force=True)

    assert store.merge(force=True) == 1
    assert store.merge(force=True) == 0


def damage(database_url: str, *, run_id: str) -> None:
    engine = sa.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        query = "UPDATE frame SET payload = :payload WHERE run_id = (SELECT id FROM run WHERE uid = :uid)"
        connection.execute(sa.text(query), {"payload": b"damaged", "uid": run_id})
    engine.dispose()
