"""Where runs go to: arguments, then environment variables, then defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast, get_args

Mode = Literal["online", "offline", "disabled"]

DEFAULT_SERVER_URL: Final = "http://127.0.0.1:7360"
DEFAULT_PROJECT: Final = "default"
OFFLINE: Final = "offline"
DEFAULT_BUDGET: Final = 0.02  # of the time that a training step takes
DEFAULT_SPOOL_MAX_BYTES: Final = 2 * 1024**3


class InvalidSetting(ValueError):
    """A setting that cannot be understood; the message names it, and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the SDK needs to know before a run begins. ``directory`` holds the spools."""

    server_url: str
    mode: Mode
    directory: Path
    token: str | None = field(repr=False)
    project: str
    name: str | None
    every: int | None  # steps between snapshots; None: as many as the budget takes
    budget: float
    spool_max_bytes: int

    @property
    def spool_folder(self) -> Path:
        """Where this run's spool lies: beside others of the same destination, so that none goes to a wrong server."""
        return self.directory / (OFFLINE if self.mode == "offline" else folder_of(self.server_url))


def folder_of(server_url: str) -> str:
    """The name of the folder of spools that are meant for a server."""
    address = server_url.split("://")[-1].replace("localhost", "127.0.0.1")
    return re.sub(r"[^A-Za-z0-9.-]+", "_", address).strip("_.") or "server"


def read_settings(
    *,
    server_url: str | None = None,
    mode: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    token: str | None = None,
    project: str | None = None,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Arguments beat the environment, which beats the defaults. Raises InvalidSetting."""
    env = os.environ if environment is None else environment
    chosen_mode = mode or env.get("TRAINVITALS_MODE") or "online"
    if chosen_mode not in get_args(Mode):
        raise InvalidSetting(f"mode {chosen_mode!r} is unknown: choose online, offline or disabled")
    address = (server_url or env.get("TRAINVITALS_SERVER_URL") or DEFAULT_SERVER_URL).strip().rstrip("/")
    if not re.match(r"https?://[^/\s]+", address):
        raise InvalidSetting(f"server URL {address!r} is none: it looks like http://host:7360 or https://host")
    chosen_directory = directory or env.get("TRAINVITALS_DIR")
    return Settings(
        server_url=address,
        mode=cast(Mode, chosen_mode),
        directory=Path(chosen_directory) if chosen_directory else _default_directory(),
        token=(token or env.get("TRAINVITALS_TOKEN") or "").strip() or None,
        project=project or env.get("TRAINVITALS_PROJECT") or DEFAULT_PROJECT,
        name=name or env.get("TRAINVITALS_NAME") or None,
        every=_positive(env, "TRAINVITALS_EVERY", 0) or None,
        budget=_share(env, "TRAINVITALS_BUDGET", DEFAULT_BUDGET),
        spool_max_bytes=_positive(env, "TRAINVITALS_SPOOL_MAX_BYTES", DEFAULT_SPOOL_MAX_BYTES),
    )


def _default_directory() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("trainvitals")) / "spool"


def _positive(env: Mapping[str, str], key: str, default: int) -> int:
    text = env.get(key)
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise InvalidSetting(f"{key}={text!r} is no whole number above 0")
    return int(text)


def _share(env: Mapping[str, str], key: str, default: float) -> float:
    text = env.get(key)
    if not text:
        return default
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InvalidSetting(f"{key}={text!r} is no share of the training's time, such as 0.02")
    return share
