"""A run as notebooks draw it: its live page, where a browser may be shown it inside another page."""

from __future__ import annotations

import ipaddress
from html import escape
from urllib.parse import urlsplit

from trainvitals.shown import HEIGHT, Shown


class LivePage:
    """A run's page, to be the last expression of a notebook's cell. ``height``: in pixels."""

    def __init__(self, run: Shown, *, height: int = HEIGHT) -> None:
        self._run = run
        self._height = int(height)

    def __repr__(self) -> str:
        return repr(self._run)

    def _repr_html_(self) -> str:
        settings, url = self._run.settings, escape(self._run.url)
        if settings.mode != "online":
            return f"<p>{escape(repr(self._run))}</p>"
        link = f'<a href="{url}" target="_blank" rel="noopener">{url}</a>'
        if settings.token is not None:
            return f"<p>{link} – opens in a tab of its own, for its server asks who you are.</p>"
        if not _is_loopback(settings.server_url):
            return f"<p>{link} – opens in a tab of its own, for its server is another machine.</p>"
        return (
            f'<iframe src="{url}" title="{escape(settings.name or self._run.run_id)}" width="100%" '
            f'height="{self._height}" style="border: 0; border-radius: 8px"></iframe>'
            f"<p>{link} – is nothing to be seen? Start the server: <code>trainvitals serve</code></p>"
        )


def _is_loopback(server_url: str) -> bool:
    host = urlsplit(server_url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
