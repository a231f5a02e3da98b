"""`trainvitals sync`: ships what trainings left in the spool folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trainvitals.client import Answer, Client, delay
from trainvitals.console import Console
from trainvitals.delivery import Delivery, drain
from trainvitals.spool import left_over

ATTEMPTS: Final = 5


def adopt(directories: Sequence[Path], server_url: str, token: str | None) -> tuple[int, int]:
    """Ship the spools of dead processes in folders; how many were shipped, and how many could not be."""
    client, console = Client(server_url, token), Console()
    shipped = kept = 0
    try:
        for spool in (spool for directory in directories for spool in left_over(directory, tell=console.say)):
            try:
                if drain(Delivery(spool, client, console.named(spool.run_id)), wait=patiently):
                    spool.remove()
                    shipped += 1
                else:
                    kept += 1
            finally:
                spool.close()
    finally:
        client.close()
    return shipped, kept


def patiently(failures: int, answer: Answer) -> bool:
    """Wait until the next try; False where another is of no use, or there were enough."""
    if failures >= ATTEMPTS or answer.outcome in ("unauthorized", "unknown run", "misled", "too large"):
        return False
    time.sleep(delay(failures, answer))
    return True
