"""What a server is told when it starts."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import platformdirs

from trainvitals.wire.frame import Limits

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7360
QUEUE_BYTES: Final = 32 * 1024 * 1024
LOST_AFTER_SECONDS: Final = 120  # twelve heartbeats
SILENT_SECONDS: Final = 15.0  # between two parts of a body, which holds room in the queue
# what frame-ancestors takes, and no more: a scheme, a host with all of its names below it or without, a port. A site's
# own words go into a header here
SITE: Final = re.compile(
    r"https?://(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[0-9]{1,5})?"
)


class SettingsError(ValueError):
    """The settings contradict each other, or are unsafe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the server listens, where it keeps runs, whom it lets in and how much it takes."""

    database: str
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    queue_bytes: int = QUEUE_BYTES
    lost_after_seconds: int = LOST_AFTER_SECONDS
    allowed_hosts: tuple[str, ...] = ()
    silent_seconds: float = SILENT_SECONDS
    embed_in: tuple[str, ...] = ()


def data_folder() -> Path:
    """Where runs are kept when nothing else is said."""
    return Path(platformdirs.user_data_dir("trainvitals", appauthor=False))


def settings_from(
    environment: Mapping[str, str] = os.environ,
    *,
    host: str | None = None,
    port: int | None = None,
    database: str | None = None,
    data: Path | None = None,
) -> Settings:
    """Arguments first, then TRAINVITALS_* variables, then defaults. Raises SettingsError."""
    folder = data or Path(environment.get("TRAINVITALS_DATA") or data_folder())
    embedded = f"sqlite:///{folder / 'trainvitals.sqlite3'}"
    token = (environment.get("TRAINVITALS_TOKEN") or "").strip() or None
    chosen_host = host or environment.get("TRAINVITALS_HOST") or DEFAULT_HOST
    if token is not None and not (token.isascii() and token.isprintable()):
        raise SettingsError("TRAINVITALS_TOKEN: a token travels in a header, where only ASCII characters are sure to")
    if token is None and not is_loopback(chosen_host):
        raise SettingsError(
            f"refusing to listen on {chosen_host} without a token: whoever reaches this address could read and write "
            "every run. Set TRAINVITALS_TOKEN to a long random string (SDK and page will ask for it), or listen on "
            f"{DEFAULT_HOST}."
        )
    return Settings(
        database=database or (environment.get("TRAINVITALS_DATABASE") if data is None else None) or embedded,
        host=chosen_host,
        port=port if port is not None else _number(environment, "TRAINVITALS_PORT", DEFAULT_PORT),
        token=token,
        limits=Limits(max_bytes=_number(environment, "TRAINVITALS_MAX_FRAME_BYTES", Limits().max_bytes)),
        queue_bytes=_number(environment, "TRAINVITALS_QUEUE_BYTES", QUEUE_BYTES),
        lost_after_seconds=_number(environment, "TRAINVITALS_LOST_AFTER_SECONDS", LOST_AFTER_SECONDS),
        allowed_hosts=_listed(environment, "TRAINVITALS_ALLOWED_HOSTS"),
        embed_in=_sites(environment),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, however much it looks like an address


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(environment.get(name, "").lower().replace(",", " ").split())


def _sites(environment: Mapping[str, str]) -> tuple[str, ...]:
    sites = tuple(site.removesuffix("/") for site in _listed(environment, "TRAINVITALS_EMBED_IN"))
    for site in sites:
        if not SITE.fullmatch(site):
            raise SettingsError(
                f"TRAINVITALS_EMBED_IN: {site!r} is no site. Name those whose pages may show charts by their origin, "
                "such as https://wiki.example.org, with commas between them"
            )
    return sites


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise SettingsError(f"{name}={text!r} is no whole number") from error
