"""What scripts written for wandb say beyond the SDK's own words: understood, ignored with a word, or refused."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from trainvitals.console import Console

# keywords of wandb's as of 0.22 and a few versions before
INIT: Final = frozenset(
    {
        "allow_val_change", "anonymous", "config_exclude_keys", "config_include_keys", "dir", "entity", "force",
        "fork_from", "id", "job_type", "magic", "monitor_gym", "notes", "reinit", "resume", "resume_from", "save_code",
        "settings", "sync_tensorboard", "tensorboard",
    }
)  # fmt: skip
OWN: Final = ("model", "optimizer", "every", "budget", "dense", "include", "exclude", "attention")
WATCH: Final = frozenset(["criterion", "idx", "log", "log_graph"])
DEFINE_METRIC: Final = frozenset(["hidden", "overwrite", "step_sync"])
ALERT: Final = frozenset(["wait_duration"])

MEDIA: Final = frozenset(
    {
        "Artifact", "Audio", "Bokeh", "Box3D", "Classes", "Graph", "Histogram", "Html", "Image", "JoinedTable",
        "Molecule", "Object3D", "Plotly", "Point3D", "Settings", "Table", "Video",
    }
)  # fmt: skip
HARMLESS: Final = frozenset(
    {
        "link_artifact", "link_model", "log_artifact", "log_code", "log_model", "login", "mark_preempting", "plot",
        "plot_table", "plots_table", "save", "setup", "teardown", "termerror", "termlog", "termwarn",
    }
)  # fmt: skip
_console: Final = Console()  # one for the process: a notice is given once, whatever run it is


class Error(Exception):
    """What scripts written for wandb catch; nothing here raises it."""


class AlertLevel:
    """wandb's levels of alerts; "WARN" is our warning, "ERROR" critical."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class util:  # noqa: N801  # wandb's name
    """What scripts that resume their runs take from ``wandb.util``."""

    @staticmethod
    def generate_id(length: int = 8) -> str:
        """Letters and digits at random."""
        import secrets

        return secrets.token_hex(length)[:length]


class StandIn:
    """Takes the place of a thing that is not kept: it can be called, asked and filled, and nothing comes of it."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> StandIn:
        return StandIn()

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def of_module(name: str) -> Any:  # Any: a class or a function of wandb's
    """What ``wandb.NAME`` stands for. Raises AttributeError for what cannot be stood in for."""
    if name in ("Error", "CommError", "UsageError"):
        return Error
    if name in ("AlertLevel", "util"):
        return {"AlertLevel": AlertLevel, "util": util}[name]
    if name in MEDIA:
        return _media(name)
    if name in HARMLESS:
        _notice(name)
        return StandIn()
    raise AttributeError(f"trainvitals has no {name!r}, neither of its own nor in the place of wandb's")


@functools.cache
def _media(name: str) -> type[StandIn]:
    _notice(name)
    return type(name, (StandIn,), {})


def of_run(run: Any, name: str) -> Any:  # Any: the run, and what wandb's has under that name
    """What ``wandb.run.NAME`` stands for. Raises AttributeError."""
    known = {"id": "run_id", "name": "settings.name", "project": "settings.project", "dir": "settings.directory"}
    if name in known:
        value = run
        for part in known[name].split("."):
            value = getattr(value, part)
        return str(value)
    if name == "get_url":
        return lambda: run.url
    if name in HARMLESS:
        _notice(name)
        return StandIn()
    raise AttributeError(f"a run of trainvitals has no {name!r}")


def is_optimizer(thing: object) -> bool:
    """Whether it is an optimizer, or several."""
    if isinstance(thing, Sequence):
        return all(hasattr(one, "param_groups") for one in thing)
    return hasattr(thing, "param_groups")


def of_watch(model: Any, every: int | None, wandb: Mapping[str, Any]) -> tuple[list[Any], int | None]:
    """The models, and steps between snapshots, of a ``watch`` that names no optimizer; ``log_freq`` is our ``every``.
    Raises TypeError."""
    given = dict(wandb)
    models, log_freq = given.pop("models", model), given.pop("log_freq", None)
    ignore(given, WATCH, of="watch", own=(*OWN, "models", "log_freq"))
    if models is None:
        raise TypeError("watch() needs a model")
    several = models.values() if isinstance(models, Mapping) else models
    whole = isinstance(models, (list, tuple, Mapping))
    return list(several) if whole else [models], log_freq if every is None else every


def ignore(given: Mapping[str, Any], known: frozenset[str], *, of: str, own: Iterable[str]) -> None:
    """Keywords that mean something to wandb and nothing here, said once. Raises TypeError for what means nothing to
    either, so that no slip of the pen is swallowed. ``own``: the keywords that there are."""
    if strange := sorted(set(given) - known):
        import difflib

        near = difflib.get_close_matches(strange[0], [*own, *known], n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"{of}() got an unexpected keyword argument {strange[0]!r}{hint}")
    if given:
        words = ", ".join(sorted(given))
        _console.say(f"{of}() ignores what only wandb knows: {words}", once=f"{of} {words}")


def _notice(name: str) -> None:
    _console.say(f"{name} is of wandb's, and nothing of it is kept here; the script goes on", once=f"wandb {name}")
