"""`trainvitals import`: ships a run that another tracker recorded."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from trainvitals.client import Client
from trainvitals.console import Console
from trainvitals.delivery import Delivery, drain
from trainvitals.importing.errors import CannotImport
from trainvitals.importing.records import ImportedRun, ready
from trainvitals.importing.sources import WHAT_IS_READ, read_run
from trainvitals.settings import InvalidSetting, Settings, read_settings
from trainvitals.spool import Spool
from trainvitals.sync import patiently
from trainvitals.wire.notes import MetricDefinition, Role

MOST_NAMES = 8
UNBOUNDED_BYTES = 2**63


def import_command(arguments: Sequence[str]) -> int:
    """The exit status: 0 the run is on the server, 1 it is not, 2 not understood."""
    parser = argparse.ArgumentParser(
        prog="trainvitals import", description=f"Ship a run that another tracker recorded: {WHAT_IS_READ}."
    )
    parser.add_argument("path", type=Path, help="a file, or a run's folder")
    parser.add_argument("--project", help="default: TRAINVITALS_PROJECT, else default")
    parser.add_argument("--name", help="default: the run's own, else the file's or the folder's")
    parser.add_argument("--loss", help="the metric that is the training loss; default: by its usual names")
    parser.add_argument("--validation-loss", help="the metric that is the validation's loss")
    parser.add_argument("--server-url", help="default: TRAINVITALS_SERVER_URL, else http://127.0.0.1:7360")
    parser.add_argument("--token", help="default: TRAINVITALS_TOKEN")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        settings = read_settings(server_url=options.server_url, token=options.token, project=options.project)
        run = read_for_import(options.path, console, project=settings.project, name=options.name)
        run = run.told(defined(run, options.path, loss=options.loss, validation_loss=options.validation_loss))
        return _ship(run, options.path, settings, console)
    except InvalidSetting as error:
        console.say(str(error))
        return 2
    except (CannotImport, OSError) as error:
        console.say(str(error))
        return 1


def read_for_import(path: Path, console: Console, *, project: str, name: str | None = None) -> ImportedRun:
    """A run as it is sent and judged; what is left out of it is said. Raises CannotImport."""
    imported = read_run(path)
    for remark in imported.remarks:
        console.say(f"{path}: {remark}")
    source = str(path.resolve())
    return ready(imported, source=source, project=project, name=name, now=time.time(), say=console.say)


def defined(
    run: ImportedRun, path: Path, *, loss: str | None, validation_loss: str | None
) -> dict[str, MetricDefinition]:
    """What metrics of these names mean. Raises CannotImport if the run has none of a name."""
    roles: tuple[tuple[str | None, Role], ...] = ((loss, "loss"), (validation_loss, "validation_loss"))
    named = {name: MetricDefinition(role=role) for name, role in roles if name}
    if loss and loss == validation_loss:
        raise CannotImport(path, f"{loss!r} cannot be the loss of the training and of the validation")
    known = sorted(run.series)
    for name in named:
        if name not in known:
            only = ", ".join(known[:MOST_NAMES]) + (", …" if len(known) > MOST_NAMES else "")
            raise CannotImport(path, f"this run has no metric {name!r}, only {only}")
    return named


def _ship(run: ImportedRun, path: Path, settings: Settings, console: Console) -> int:
    """Raises OSError where the temporary folder cannot be written."""
    drops, client = Counter[str](), Client(settings.server_url, settings.token)
    with tempfile.TemporaryDirectory(prefix="trainvitals-") as folder:
        spool = Spool.create(Path(folder), run_id=run.run_id, writer=run.writer, max_bytes=UNBOUNDED_BYTES)
        try:
            for kind, payload in run.records():
                if (error := spool.append(kind, payload)) is not None:
                    raise error
            delivery = Delivery(spool, client, console.named(run.start.name), drops=drops, waits_in=str(path))
            is_shipped = drain(delivery, wait=patiently)
        finally:
            spool.close()
            client.close()
    if not is_shipped:
        print(f"{path} could not be shipped to {settings.server_url}: import it again when it can.", file=sys.stderr)
        return 1
    told = f"{len(run.series):,} metrics, {run.points:,} points, last step {run.end.last_step or 0:,}"
    print(f"Imported {run.start.name} ({told}): {settings.server_url}/runs/{run.run_id}")
    return 1 if drops else 0
