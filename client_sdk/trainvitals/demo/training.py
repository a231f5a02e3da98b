"""What the demo's trainings share: their command line, their run, and the receipt of what they logged."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import trainvitals as tv

RECEIPT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for. ``mode`` is the SDK's: online, offline or disabled."""

    steps: int
    seed: int
    mode: str | None
    receipt: Path | None


def options(description: str, *, steps: int, seed: int = 0) -> Options:
    """Read the command line; ``steps`` and ``seed`` are the training's own defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps, help="optimizer steps to take (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=seed, help="seed of weights and batches (default: %(default)s)")
    parser.add_argument("--mode", choices=["online", "offline", "disabled"], help="how the SDK sends what it measures")
    parser.add_argument("--receipt", type=Path, help="file to write, at the end, what was logged (JSON)")
    given = parser.parse_args()
    if given.steps < 1:
        parser.error(f"--steps {given.steps}: a training takes at least one step")
    return Options(steps=given.steps, seed=given.seed, mode=given.mode, receipt=given.receipt)


def prepare(chosen: Options) -> None:
    """Seed the training and keep it to one core, so that three of them run side by side."""
    torch.set_num_threads(1)
    torch.manual_seed(chosen.seed)


def begin(name: str, chosen: Options, *, config: dict[str, Any]) -> tv.Run:  # Any: settings are of any kind
    """The demo's run of that name."""
    settings = {**config, "steps": chosen.steps, "seed": chosen.seed}
    return tv.init(project="demo", name=name, config=settings, mode=chosen.mode)


def end(run: tv.Run, chosen: Options, *, logged: int) -> None:
    """Finish the run; leave a receipt if one was asked for. ``logged``: how often the loss was logged."""
    run.finish()
    if chosen.receipt is None:
        return
    receipt = {"version": RECEIPT_VERSION, "run_id": run.run_id, "logged": logged}
    waiting = chosen.receipt.with_suffix(".part")
    waiting.write_text(json.dumps(receipt))
    waiting.replace(chosen.receipt)
