"""What scripts written for wandb say beyond the SDK's own words: understood, ignored with a word, or refused."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from trainvitals.console import Console

OWN: Final = ("model", "optimizer", "every", "budget", "dense", "include", "exclude", "attention")
NEAR: Final = 0.8  # how much alike (difflib) a slip of the pen is to the word that was meant

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


def of_watch(model: Any, criterion: Any, every: int | None, wandb: Mapping[str, Any]) -> tuple[list[Any], int | None]:
    """The models, and steps between snapshots, of a ``watch`` that names no optimizer; ``log_freq`` is our ``every``,
    and a ``criterion``, a loss function, is of no account. Raises TypeError."""
    if isinstance(criterion, (str, bytes, int, float)):
        raise TypeError(
            f"watch(model, optimizer): {criterion!r} is no optimizer; give it the one that trains the model"
        )
    given = dict(wandb)
    models, log_freq = given.pop("models", model), given.pop("log_freq", None)
    ignore(given, of="watch", own=(*OWN, "models", "log_freq"))
    if models is None:
        raise TypeError("watch() needs a model")
    several = models.values() if isinstance(models, Mapping) else models
    whole = isinstance(models, (list, tuple, Mapping))
    return list(several) if whole else [models], log_freq if every is None else every


def ignore(given: Mapping[str, Any], *, of: str, own: Iterable[str]) -> None:  # Any: whatever scripts give
    """Keywords that mean nothing here, said once. Raises TypeError for what is nearly one of ``own``, the keywords that
    there are, so that no slip of the pen is swallowed."""
    if given:
        _tell_of(tuple(sorted(given)), of=of, own=tuple(own))


@functools.cache  # in a loop, too, the words are looked at once
def _tell_of(words: tuple[str, ...], *, of: str, own: tuple[str, ...]) -> None:
    import difflib

    for word in words:
        if near := difflib.get_close_matches(word, own, n=1, cutoff=NEAR):
            raise TypeError(f"{of}() got an unexpected keyword argument {word!r}: did you mean {near[0]!r}?")
    _console.say(f"{of}() ignores keywords that mean nothing here: {', '.join(words)}")


def _notice(name: str) -> None:
    _console.say(f"{name} is of wandb's, and nothing of it is kept here; the script goes on", once=f"wandb {name}")
