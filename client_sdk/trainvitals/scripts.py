"""`trainvitals run`: runs a script as Python itself would, and watches what it trains."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType, TracebackType
from typing import Final

from trainvitals import active
from trainvitals.console import Console
from trainvitals.settings import InvalidSetting, read_settings

NOT_UNDERSTOOD: Final = 2
SETTINGS: Final = {  # options → the variables that the SDK reads, of this process and those that it starts
    "project": "TRAINVITALS_PROJECT",
    "name": "TRAINVITALS_NAME",
    "mode": "TRAINVITALS_MODE",
    "budget": "TRAINVITALS_BUDGET",
    "every": "TRAINVITALS_EVERY",
    "server_url": "TRAINVITALS_SERVER_URL",
}
_console = Console()


def run(arguments: Sequence[str]) -> int:
    """Run a script or a module; its exit status is the process's. Raises what the script raises."""
    options, parser = _options(arguments)
    target = options.module or options.script
    if not target:
        parser.print_usage(sys.stderr)
        return NOT_UNDERSTOOD
    os.environ.update(
        {variable: str(value) for word, variable in SETTINGS.items() if (value := vars(options)[word]) is not None}
    )
    try:
        read_settings()
    except InvalidSetting as error:
        print(f"trainvitals: {error}", file=sys.stderr)
        return NOT_UNDERSTOOD
    try:
        main, compiled = _module(target[0]) if options.module else _script(target[0])
    except (OSError, ImportError, ValueError) as error:
        print(f"trainvitals: cannot run {target[0]!r}: {error}", file=sys.stderr)
        return NOT_UNDERSTOOD if isinstance(error, OSError) else 1
    sys.argv[:] = [main.__file__ if options.module and main.__file__ else target[0], *target[1:]]
    sys.modules["__main__"] = main
    _show_only_frames_of(main)
    when_imported("torch", _watch)
    try:
        exec(compiled(), main.__dict__)
    except SystemExit as end:
        active.note(end)  # nobody else is told of it
        raise
    finally:
        if not active.has_begun():
            _console.say("no optimizer took a step in this process: there is nothing to show")
    return 0


def _options(arguments: Sequence[str]) -> tuple[argparse.Namespace, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser(
        prog="trainvitals run",
        usage="%(prog)s [options] script.py … | -m package.module …",
        description="Run a training as `python` would, and watch it: its script needs no changes.",
        allow_abbrev=False,
    )
    parser.add_argument("--project", help="default: TRAINVITALS_PROJECT, else default")
    parser.add_argument("--name", help="default: TRAINVITALS_NAME, else script and time")
    parser.add_argument("--mode", choices=["online", "offline", "disabled"], help="default: TRAINVITALS_MODE")
    parser.add_argument(
        "--budget", type=float, help="share of the time that watching may take; default: TRAINVITALS_BUDGET, else 0.02"
    )
    parser.add_argument(
        "--every",
        type=int,
        help="steps between snapshots, whatever they cost; default: TRAINVITALS_EVERY, else the budget decides",
    )
    parser.add_argument("--server-url", help="default: TRAINVITALS_SERVER_URL, else http://127.0.0.1:7360")
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, help="a module and its arguments")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="a script and its arguments")
    return parser.parse_args(arguments), parser


def _script(path: str) -> tuple[ModuleType, Callable[[], CodeType]]:
    """``__main__``, and what makes its code. Raises OSError."""
    whole = os.path.abspath(path)
    with io.open_code(whole) as file:
        source = file.read()
    _set_first_path(os.path.dirname(os.path.realpath(whole)))
    main = ModuleType("__main__")
    main.__file__ = whole
    return main, lambda: compile(source, whole, "exec", dont_inherit=True)


def _module(name: str) -> tuple[ModuleType, Callable[[], CodeType]]:
    """``__main__``, and what makes its code. Raises ImportError."""
    _set_first_path(os.getcwd())
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    find_code = getattr(spec.loader if spec is not None else None, "get_code", None)
    if spec is None or find_code is None:
        raise ImportError(f"no module named {name} that could be run")
    main = ModuleType("__main__")
    main.__file__, main.__spec__, main.__package__, main.__loader__ = spec.origin, spec, spec.parent, spec.loader
    return main, partial(find_code, spec.name)


def _set_first_path(folder: str) -> None:
    if not sys.flags.safe_path:  # `python -P` puts nothing there
        sys.path[0] = folder


def _show_only_frames_of(main: ModuleType) -> None:
    """An uncaught error is shown as if Python had run the script itself."""
    earlier = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_globals is not main.__dict__:
            trace = trace.tb_next
        earlier(kind, error.with_traceback(trace), trace)

    sys.excepthook = show


def when_imported(name: str, then: Callable[[], None]) -> None:
    """Call ``then`` right after a top-level module is imported for the first time; at once if it was already."""
    if name in sys.modules:
        then()
        return
    sys.meta_path.insert(0, _Watcher(name, then))


class _Watcher:
    """Finds nothing itself: has a module found by the others, and adds to its loading what is to be done after."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._name or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        loader = spec.loader if spec is not None else None
        if loader is None:
            return spec
        load = loader.exec_module

        def load_and_tell(module: ModuleType) -> None:
            del loader.exec_module  # the class's own comes to light again
            load(module)
            self._then()

        loader.exec_module = load_and_tell  # type: ignore[method-assign]  # of this one loader, for this one time
        return spec


def _watch() -> None:
    try:
        from trainvitals.zero_code import watch_unseen

        watch_unseen()
    except Exception as error:  # noqa: BLE001  # the border: the script runs, watched or not
        _console.say(f"this training cannot be watched ({type(error).__name__}: {error})")
