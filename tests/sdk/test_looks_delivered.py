"""Looks on their way: they reach a server that knows of them, and hold nothing up where none does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import trainvitals
from tests.real_server import RealServer
from tests.sdk.conftest import Receiver
from tests.sdk.probed_models import CASES, trained
from trainvitals.client import Client
from trainvitals.wire.looks import pixels


def test_a_look_is_on_the_server_when_the_run_has_finished(server: RealServer, tmp_path: Path) -> None:
    run = trainvitals.init(project="tests", name="seen", server_url=server.url, directory=tmp_path / "spool")
    trained(run, CASES["convolutions"], probe=torch.randn(4, 3, 16, 12), steps=4, every=1)

    looks = server.store.looks(run.run_id)
    assert looks.steps == [0, 1, 2, 3]
    assert [one.layer for one in looks.layers] == ["", "0", "1", "2", "4", "5", "6", "8"]
    assert looks.layers[1].shape == [4, 12, 14, 10]
    filters = next(one for one in server.store.pictures(run.run_id, "0").pictures if one.kind == "filter")
    assert len(pixels(filters)) == 12 * 3 * 3 * 3


@pytest.mark.parametrize("status", [413, 422, 405])
def test_a_server_that_takes_none_loses_nothing_but_looks(receiver: Receiver, status: int) -> None:
    receiver.refusals.append((status, {}))
    assert Client(receiver.url, None).send("look", "run", b"x").outcome == "refused"


def test_an_older_server_that_knows_no_such_route_refuses_them(server: RealServer) -> None:
    answer = Client(server.url, None)._request("POST", "/api/v1/runs/run/unheard/looks", b"x")
    assert (answer.outcome, answer.detail[:3]) == ("refused", "404")
