"""The console script: a few words are the SDK's own (`run`, `preflight`, `sync`, `import`), all others the server's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import metadata
from itertools import pairwise
from pathlib import Path

from trainvitals.console import Console
from trainvitals.importing.command import import_command, read_for_import
from trainvitals.importing.errors import CannotImport
from trainvitals.importing.sources import is_recording
from trainvitals.preflight.command import preflight_command
from trainvitals.recorded import SUFFIX, as_recording, recorded
from trainvitals.scripts import run
from trainvitals.settings import DEFAULT_PROJECT, OFFLINE, folder_of, read_settings
from trainvitals.sync import adopt
from trainvitals.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 not done, 2 not understood."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        print(f"trainvitals {__version__}")
        return 0
    if arguments[:1] == ["sync"]:
        return _sync(arguments[1:])
    if arguments[:1] == ["import"]:
        return import_command(arguments[1:])
    if arguments[:1] == ["run"]:
        return run(arguments[1:])
    if arguments[:1] == ["preflight"]:
        return preflight_command(arguments[1:])
    if arguments[:1] == ["diagnose"]:
        return _diagnose(arguments)
    return _of_the_server(arguments)


def _diagnose(arguments: list[str]) -> int:
    """The server judges recorded runs, and knows nothing of spools and of what other trackers recorded."""
    what = _what(arguments)
    try:
        if what.endswith(SUFFIX) and not Path(what).is_file():
            raise FileNotFoundError(f"there is no file {what}")
        recording = _recorded(what)
        if recording is None:
            return _of_the_server(arguments)
        with recording as file:
            return _of_the_server([str(file) if word == what else word for word in arguments])
    except (CannotImport, OSError) as error:
        print(f"trainvitals: {error}", file=sys.stderr)
        return 1


def _what(arguments: Sequence[str]) -> str:
    """The word that says what is to be diagnosed: it begins no option, and is no option's value."""
    pairs = pairwise(arguments)
    return next((word for before, word in pairs if word[:1] != "-" and (before[:2] != "--" or "=" in before)), "")


def _recorded(what: str) -> AbstractContextManager[Path] | None:
    """What becomes the file of a recorded run; None for such a file, and for a run on a server. Raises CannotImport,
    OSError."""
    path = Path(what)
    if what.endswith(SUFFIX):
        return as_recording(path)
    if not what or not path.exists() or is_recording(path):
        return None
    run = read_for_import(path, Console(), project=DEFAULT_PROJECT)
    return recorded(run.run_id, run.records())


def _of_the_server(arguments: list[str]) -> int:
    found = list(metadata.entry_points(group="trainvitals.commands", name="server"))
    try:
        server = found[0].load() if found else None
    except ModuleNotFoundError as error:
        print(f"trainvitals: the server's {error.name} is missing: pip install 'trainvitals[server]'", file=sys.stderr)
        return 1
    if server is None:
        print("trainvitals: the server is not installed: pip install 'trainvitals[server]'", file=sys.stderr)
        return 1
    return int(server(arguments) or 0)


def _sync(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="trainvitals sync", description="Ship what trainings left in the spool.")
    parser.add_argument("directory", nargs="?", help="the spool folder (default: TRAINVITALS_DIR, else the user's)")
    parser.add_argument("--server-url", help="default: TRAINVITALS_SERVER_URL, else http://127.0.0.1:7360")
    parser.add_argument("--token", help="default: TRAINVITALS_TOKEN")
    parser.add_argument(
        "--own", action="store_true", help="only what was meant for this server, or measured in mode offline"
    )
    options = parser.parse_args(arguments)
    settings = read_settings(server_url=options.server_url, directory=options.directory, token=options.token)
    directory: Path = settings.directory
    if options.directory and not directory.is_dir():
        print(f"trainvitals: there is no folder {directory}", file=sys.stderr)
        return 1
    own = [directory / folder_of(settings.server_url), directory / OFFLINE]
    shipped, kept = adopt(own if options.own else [directory], settings.server_url, settings.token)
    if kept:
        print(f"{kept} of {shipped + kept} runs in {directory} could not be shipped to {settings.server_url}.")
        return 1
    print(f"Shipped {shipped} runs from {directory}." if shipped else f"Nothing to ship in {directory}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
