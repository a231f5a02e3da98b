"""What goes over a network is compressed; what stays on this machine is not."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.server.sending import LOCAL
from trainvitals_server.app import create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store


@pytest.mark.parametrize(("host", "encoding"), [("192.168.7.9", "gzip"), ("127.0.0.1", None), ("::1", None)])
def test_answers_are_compressed_for_other_machines(
    settings: Settings, store: Store, host: str, encoding: str | None
) -> None:
    with TestClient(create_app(settings, store=store), headers=LOCAL, client=(host, 50_000)) as client:
        answer = client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
        assert answer.headers.get("content-encoding") == encoding
        assert answer.json()["info"]["title"] == "trainvitals"
