"""The package as scripts see it: names that follow the run, and submodules that never hide a word of the same name."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trainvitals import active


class Facade(ModuleType):
    """``trainvitals`` itself. ``run``, ``config`` and ``summary`` are those of the run at work, as scripts written for
    wandb expect; what else such scripts name is looked for among wandb's words."""

    def __setattr__(self, name: str, value: object) -> None:
        # loading a submodule binds it to its name in the package, where a function of that name may stand
        if isinstance(value, ModuleType) and (name == "run" or callable(self.__dict__.get(name))):
            return
        if name == "config":  # wandb.config = {…}, as many scripts have it
            active.config().update(value)
            return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:  # Any: whatever the name stands for
        if name == "run":
            return active.current()
        if name == "config":
            return active.config()
        if name == "summary":
            return active.newest(name).summary
        if name.startswith("__"):
            raise AttributeError(f"module 'trainvitals' has no attribute {name!r}")
        if name == "Finding":
            from trainvitals.wire.messages import Finding

            return Finding
        from trainvitals.wandb_words import of_module

        return of_module(name)
