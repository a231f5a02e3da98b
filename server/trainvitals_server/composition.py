"""The whole in one process: store, server and dashboard."""

from __future__ import annotations

from fastapi import FastAPI

from trainvitals_dashboard.app import mount
from trainvitals_server.app import SetUp, create_app
from trainvitals_server.settings import Settings
from trainvitals_server.store.interface import Store
from trainvitals_server.store.opening import open_store


def create_whole(settings: Settings, *, store: Store | None = None) -> FastAPI:
    """Server and pages on the database that the settings name, or on ``store``. Raises StoreError."""

    def pages(api: FastAPI) -> SetUp:
        return mount(api, token=settings.token)

    return create_app(settings, store=store or open_store(settings.database), pages=pages)
