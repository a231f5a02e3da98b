"""A run's settings, and its summary: to be read and set as items or as attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

Told = Callable[[Mapping[str, Any]], None]  # Any: settings and results are the user's own


class Values(MutableMapping[str, Any]):  # Any: the user's own
    """``values["lr"]`` and ``values.lr`` are the same. ``told`` hears of each change. Values are given back as they
    were set, also those that can only be kept as text. What was set can be changed, and not be taken away."""

    def __init__(self, given: Mapping[str, Any], *, told: Told) -> None:
        self._values = dict(given)
        self._told = told

    def __getitem__(self, name: str) -> Any:  # Any: as it was set
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:  # Any: the user's own
        self._change({str(name): value})

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name!r} was told to the run, and can be changed but not taken back")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:  # Any: as it was set
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(map(str, self._values)) or "nothing"
            raise AttributeError(f"{name!r} was not set: there is {known}") from None

    def __setattr__(self, name: str, value: Any) -> None:  # Any: the user's own
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self._change({name: value})

    def __repr__(self) -> str:
        return repr(self._values)

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (self._values,)  # so that a checkpoint that holds it loads where trainvitals is not installed

    def update(self, given: object = (), /, *, allow_val_change: bool | None = None, **more: Any) -> None:
        """Set many at once: of a mapping, of pairs, or of an object with attributes (argparse's Namespace).
        ``allow_val_change`` is wandb's; values may always change here."""
        self._change({**settings_of(given), **more})

    def as_dict(self) -> dict[str, Any]:
        """A copy."""
        return dict(self._values)

    def _change(self, changes: Mapping[str, Any]) -> None:
        self._values.update(changes)
        self._told(changes)


def settings_of(given: Any) -> dict[str, Any]:  # Any: whatever people give
    """Settings as they were given: a mapping's, pairs', or an object's attributes; else the thing itself, called
    "config". Never raises."""
    if given is None:
        return {}
    try:
        if isinstance(given, Mapping):
            return {str(key): value for key, value in given.items()}
        if attributes := getattr(given, "__dict__", None):
            return dict(attributes)
        return {str(key): value for key, value in given}
    except Exception:  # noqa: BLE001  # whatever a stranger's methods do
        return {"config": given}
