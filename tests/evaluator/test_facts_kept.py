"""Facts are kept for the rules, however many metrics a script logs."""

from __future__ import annotations

from trainvitals_server.evaluator.history import FACT_POINTS, MOST_METRICS, History


def test_facts_are_kept_beside_as_many_metrics_as_there_is_room_for() -> None:
    history = History("r")
    for index in range(2 * MOST_METRICS):
        history.add_point(f"mine/{index}", 0, 1.0)
    history.add_point("facts/accuracy", 0, 0.5)
    history.add_point("facts/classes", 0, 10.0)
    kept = history.window().metrics

    assert {"facts/accuracy", "facts/classes"} <= kept.keys()
    assert len(kept) == MOST_METRICS + 2


def test_facts_take_no_room_from_other_metrics() -> None:
    history = History("r")
    for index in range(MOST_METRICS):
        history.add_point(f"facts/{index}", 0, 1.0)
    history.add_point("mine", 0, 1.0)

    assert "mine" in history.window().metrics


def test_the_past_of_a_fact_is_thinned() -> None:
    history = History("r")
    for step in range(10_000):
        history.add_point("facts/accuracy", step, 0.5)
    steps = history.window().metrics["facts/accuracy"].steps

    assert len(steps) <= 2 * FACT_POINTS
    assert (steps[0], steps[-1]) == (0, 9_999)
