"""The live feed: everything once, in order, also after a gap."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from tests.server.sending import MSGPACK, RUN, layer_frame, loss_frame, send
from trainvitals.wire import coding
from trainvitals.wire.messages import RunEnd
from trainvitals_server.live.hub import Hub
from trainvitals_server.store.interface import Store

LIVE = f"/api/v1/runs/{RUN}/live"


def _next_with(socket: Any, key: str) -> dict[str, Any]:  # Any: the test client's session
    while True:
        update: dict[str, Any] = socket.receive_json()
        socket.send_text("a")
        if update.get(key):
            return update


def test_delivers_points_in_order_and_resumes_where_a_page_left(client: TestClient) -> None:
    steps: list[int] = []
    with client.websocket_connect(LIVE) as kept, client.websocket_connect(LIVE) as socket:
        assert _next_with(socket, "reset")["metrics"] == {}
        for seq in range(5):
            assert send(client, loss_frame(seq, 2.0, 1.0)).status_code == 200
            update = _next_with(socket, "metrics")
            steps += update["metrics"]["loss"][0]
        since = update["seq"]
        send(client, loss_frame(0, 2.0, 1.0))
        send(client, loss_frame(5, 2.0, 1.0))
        with client.websocket_connect(f"{LIVE}?since={since}") as resumed:
            assert _next_with(resumed, "metrics")["metrics"]["loss"][0] == [50, 51]
        kept.close()
    assert steps == [0, 1, 10, 11, 20, 21, 30, 31, 40, 41]


def test_delivers_columns_of_the_stats_that_pages_draw(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        _next_with(socket, "reset")
        send(client, layer_frame(3))
        update = _next_with(socket, "layer_steps")
    assert (update["layer_steps"], update["layers"]) == ([3], ["a", "b"])
    assert update["stats"] == {"grad_norm": [1.5, "NaN"]}


def test_sends_a_reset_when_a_newer_attempt_begins(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        _next_with(socket, "reset")
        send(client, loss_frame(0, 2.0))
        _next_with(socket, "metrics")
        send(client, loss_frame(1, 2.0, attempt=1))
        assert _next_with(socket, "reset")["metrics"] == {}


def test_sends_a_reset_to_a_page_that_was_made_of_an_older_attempt(client: TestClient) -> None:
    send(client, loss_frame(0, 2.0))
    feed = client.get(f"/api/v1/runs/{RUN}", params={"follow": True}).json()["feed"]
    send(client, loss_frame(1, 2.0, attempt=1))
    with client.websocket_connect(f"{LIVE}?since={feed}") as socket:
        assert _next_with(socket, "reset")["metrics"] == {}


def test_sends_rows_of_the_runs_table_that_changed(client: TestClient) -> None:
    with client.websocket_connect("/api/v1/live") as socket:
        _next_with(socket, "seq")
        send(client, loss_frame(0, 2.0))
        assert _next_with(socket, "runs")["runs"][0]["run_id"] == RUN


def test_a_row_from_an_earlier_look_at_the_table_never_stands_over_a_newer_one(client: TestClient) -> None:
    with client.websocket_connect("/api/v1/live") as socket:
        send(client, loss_frame(0, 2.0))
        shown = _next_with(socket, "runs")
        assert shown["runs"][0]["status"] == "running"
    end = coding.encode(RunEnd(status="finished", ended_at=1001.0))
    client.put(f"/api/v1/runs/{RUN}/end", content=end, headers=MSGPACK)

    with client.websocket_connect("/api/v1/live") as again:  # a page that was built meanwhile
        assert {row["status"] for row in _next_with(again, "runs")["runs"]} == {"finished"}
    with client.websocket_connect(f"/api/v1/live?since={shown['seq']}") as old:  # a page that lost its connection
        assert _next_with(old, "reset")["runs"] == []


def test_a_page_that_was_away_gets_the_newest_row_of_its_run(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as kept:
        first = _next_with(kept, "seq")["seq"]
        for seq in range(3):
            send(client, loss_frame(seq, 2.0))
        while _next_with(kept, "run")["run"]["last_step"] != 20:
            pass
        with client.websocket_connect(f"{LIVE}?since={first}") as again:
            assert _next_with(again, "run")["run"]["last_step"] == 20


def test_asks_a_page_that_was_away_for_long_to_fetch_all_rows(client: TestClient) -> None:
    with client.websocket_connect("/api/v1/live?since=5") as socket:
        assert _next_with(socket, "reset")["runs"] == []


def test_a_page_is_sent_what_came_since_it_was_made_and_need_not_be_drawn_anew(client: TestClient) -> None:
    send(client, loss_frame(0, 2.0))
    feed = client.get(f"/api/v1/runs/{RUN}", params={"follow": True}).json()["feed"]
    send(client, loss_frame(1, 1.0))

    with client.websocket_connect(f"{LIVE}?since={feed}") as socket:
        updates = [_next_with(socket, "seq")]
        while not updates[-1]["metrics"]:
            updates.append(_next_with(socket, "seq"))

    assert updates[-1]["metrics"]["loss"][0][-1] == 10
    assert not any(update["reset"] for update in updates)


def test_who_does_not_follow_is_not_told_where_the_feed_stands(client: TestClient) -> None:
    send(client, loss_frame(0, 2.0))

    assert client.get(f"/api/v1/runs/{RUN}").json()["feed"] is None


def test_a_feed_is_kept_a_minute_for_a_page_that_was_made_and_not_for_ever(store: Store) -> None:
    now = 1000.0
    hub = Hub(store, clock=lambda: now)
    begun = hub.expect("run")
    now += 50
    assert hub.expect("run") == begun
    now += 61
    hub.enter("another")
    hub.leave("another")
    assert hub.expect("run") != begun
