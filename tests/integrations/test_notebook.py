"""What IPython shows of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.lib.pretty import pretty

import trainvitals as tv


def shown(thing: object) -> str:
    """The HTML that a notebook's cell would show."""
    formats, _ = DisplayFormatter().format(thing)
    html: str = formats["text/html"]
    return html


def online(**given: Any) -> tv.Run:
    return tv.init(mode="online", **{"server_url": "http://127.0.0.1:1", "name": "<b>&", **given})


def test_a_run_is_drawn_as_its_live_page() -> None:
    run = online()
    html = shown(run)
    assert f'<iframe src="{run.url}" title="&lt;b&gt;&amp;"' in html
    assert 'height="720"' in html
    assert f'<a href="{run.url}"' in html
    assert "trainvitals serve" in html


def test_the_page_s_height_is_settable() -> None:
    assert 'height="300"' in shown(online().page(height=300))


def test_in_plain_text_it_is_an_address() -> None:
    run = online()
    assert pretty(run) == pretty(run.page()) == f"run {run.run_id}: {run.url}"


@pytest.mark.parametrize(
    ("given", "why"),
    [({"token": "a long secret"}, "asks who you are"), ({"server_url": "http://elsewhere:7360"}, "another machine")],
)
def test_where_a_page_may_not_be_framed_there_is_a_link(given: dict[str, str], why: str) -> None:
    run = online(**given)
    html = shown(run)
    assert "<iframe" not in html
    assert f'<a href="{run.url}" target="_blank"' in html
    assert why in html


def test_a_run_without_a_server_says_so(tmp_path: Path) -> None:
    assert f"offline, kept in {tmp_path / 'spool'}" in shown(tv.init(mode="offline"))
    assert "disabled, nothing is recorded" in shown(tv.init(mode="disabled"))
