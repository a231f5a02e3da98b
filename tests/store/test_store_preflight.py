"""A store keeps the newest preflight with its run."""

from __future__ import annotations

import pytest

from tests.store.sample_frames import RUN, start
from trainvitals.wire.preflight import PreflightCheck, PreflightReport
from trainvitals_server.store.interface import RunNotFound, Store


def report(summary: str) -> PreflightReport:
    check = PreflightCheck(
        name="overfit_one_batch",
        stage="start simple",
        status="passed",
        summary=summary,
        numbers={"first loss": 2.3, "lowest loss": "NaN", "by": "Adam\0"},
        advice=["nothing"],
    )
    return PreflightReport(checks=[check])


def test_keeps_the_newest_preflight_whole(store: Store) -> None:
    start(store)
    assert store.run(RUN).preflight == []

    store.set_preflight(RUN, report("first"))
    store.set_preflight(RUN, report("second – with a NUL \0 in it"))
    store.set_preflight(RUN, report("second – with a NUL \0 in it"))

    assert store.run(RUN).preflight == report("second – with a NUL \0 in it").checks


def test_a_run_that_begins_again_keeps_its_preflight(store: Store) -> None:
    start(store)
    store.set_preflight(RUN, report("first"))
    start(store)

    assert store.run(RUN).preflight == report("first").checks


def test_a_preflight_of_no_run_is_refused(store: Store) -> None:
    with pytest.raises(RunNotFound):
        store.set_preflight("nobody", report("first"))
