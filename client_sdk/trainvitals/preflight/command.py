"""`trainvitals preflight`: checks what a file says is to be trained."""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trainvitals.active import init, preflight

NOTHING_FAILED: Final = 0
SOMETHING_FAILED: Final = 1
NOT_UNDERSTOOD: Final = 2
MODULE: Final = "trainvitals_preflight_of"  # and not "__main__": what a script does when it is run stays undone
EPILOG: Final = """\
FUNCTION takes nothing and returns the arguments of trainvitals.preflight by name:

    def preflight():
        return {"model": model, "loss_fn": loss_fn, "batch": batch, "optimizer": optimizer, "num_classes": 10}

The exit status is 0 if nothing failed, 1 if something did, 2 if the file could not be made use of.
"""


class Unusable(Exception):
    """The file does not say what to check; the message says why."""


def preflight_command(arguments: Sequence[str]) -> int:
    """Check, print the checklist; the exit status as the help tells it."""
    parser = argparse.ArgumentParser(
        prog="trainvitals preflight",
        description="Check a training before its first epoch.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="FILE[:FUNCTION]", help="a Python file (the function: preflight)")
    parser.add_argument("--seconds", type=float, help="about how long it may take (default: 20)")
    parser.add_argument("--project", help="keep the checklist with a run of its own in this project")
    options = parser.parse_args(arguments)
    given = {} if options.seconds is None else {"seconds": options.seconds}
    try:
        wanted = _arguments(options.target, given)
        run = init(project=options.project, name=f"preflight of {options.target}") if options.project else None
        report = preflight(**wanted, quiet=True)  # kept with the newest run
    except (Unusable, ValueError) as error:
        print(f"trainvitals: {error}", file=sys.stderr)
        return NOT_UNDERSTOOD
    print(report)
    if run is not None:
        run.finish()
    return NOTHING_FAILED if report.passed else SOMETHING_FAILED


def _arguments(target: str, given: Mapping[str, Any]) -> dict[str, Any]:  # Any: the user's own
    """What the function in the file returns. Raises Unusable."""
    path, name = _split(target)
    function = _loaded(path, name)
    try:
        found = function()
    except Exception as error:
        traceback.print_exc()
        raise Unusable(f"{name}() in {path} raised {type(error).__name__}") from error
    if not isinstance(found, Mapping):
        raise Unusable(f"{name}() in {path} returned a {type(found).__name__}: a dict of arguments is needed")
    try:
        inspect.signature(preflight).bind(**{**found, **given})
    except TypeError as error:
        raise Unusable(f"{name}() in {path} returned other arguments than preflight takes: {error}") from error
    return {key: value for key, value in {**found, **given}.items() if key != "quiet"}


def _split(target: str) -> tuple[Path, str]:
    file, colon, name = target.rpartition(":")
    path = Path(file if colon else target)
    if not path.is_file():
        raise Unusable(f"there is no file {path}")
    return path, name if colon else "preflight"


def _loaded(path: Path, name: str) -> Callable[[], object]:
    """The function, from the file run as a module, with its folder on the path as Python itself would have it."""
    spec = importlib.util.spec_from_file_location(f"{MODULE}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise Unusable(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look for it there
    sys.path.insert(0, str(path.absolute().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        traceback.print_exc()
        raise Unusable(f"{path} raised {type(error).__name__}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise Unusable(f"{path} has no function {name}(): write one that returns the arguments of preflight")
    found: Callable[[], object] = function
    return found
