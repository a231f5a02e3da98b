"""Which pages may show the server's own inside them."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse
from starlette.testclient import TestClient

from tests.server.sending import LOCAL
from trainvitals_server.app import SetUp, create_app
from trainvitals_server.settings import Settings, SettingsError, settings_from
from trainvitals_server.store.interface import Store


def with_a_page(app: FastAPI) -> SetUp:
    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse("<h1>Runs</h1>")

    async def set_up() -> None:
        pass

    return set_up


def policy_of(answer: httpx2.Response) -> str | None:
    policy: str | None = answer.headers.get("content-security-policy")
    return policy


def test_without_a_token_notebooks_of_this_machine_may(settings: Settings, store: Store) -> None:
    with TestClient(create_app(settings, store=store, pages=with_a_page), headers=LOCAL) as client:
        ancestors = (policy_of(client.get("/")) or "").split()
        assert ancestors[:2] == ["frame-ancestors", "'self'"]
        assert {"http://localhost:*", "http://127.0.0.1:*"} < set(ancestors)
        assert "*" not in ancestors
        assert policy_of(client.get("/api/v1/runs")) is None


@pytest.mark.parametrize("path", ["/", "/login"])
def test_with_a_token_no_other_page_may(settings: Settings, store: Store, path: str) -> None:
    guarded = Settings(database=settings.database, token="a long secret")
    headers = {"Authorization": "Bearer a long secret"}
    with TestClient(create_app(guarded, store=store, pages=with_a_page), headers=headers) as client:
        assert policy_of(client.get(path)) == "frame-ancestors 'self'"


@pytest.mark.parametrize("token", [None, "a long secret"])
def test_the_sites_that_the_server_is_told_of_may(settings: Settings, store: Store, token: str | None) -> None:
    told = Settings(database=settings.database, token=token, embed_in=("https://wiki.example.org",))
    headers = {**LOCAL, "Authorization": "Bearer a long secret"}
    with TestClient(create_app(told, store=store, pages=with_a_page), headers=headers) as client:
        ancestors = (policy_of(client.get("/")) or "").split()
        assert ancestors[:2] == ["frame-ancestors", "'self'"]
        assert ancestors[-1] == "https://wiki.example.org"
        assert ("http://localhost:*" in ancestors) == (token is None)


def test_sites_are_read_from_the_environment(tmp_path: Path) -> None:
    told = {"TRAINVITALS_EMBED_IN": "https://wiki.example.org/, https://*.example.com:8443"}
    assert settings_from(told, data=tmp_path).embed_in == ("https://wiki.example.org", "https://*.example.com:8443")
    assert settings_from({}, data=tmp_path).embed_in == ()


@pytest.mark.parametrize(
    "site", ["*", "https://*", "wiki.example.org", "https://a.example; script-src *", "https://a.example/wiki", "data:"]
)
def test_what_is_no_site_is_refused(site: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TRAINVITALS_EMBED_IN"):
        settings_from({"TRAINVITALS_EMBED_IN": site}, data=tmp_path)
