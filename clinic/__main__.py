"""``python -m clinic``: judge the recorded runs, write the page, and say by the exit status whether the promise is
kept. ``python -m clinic record [PATTERN …]``: train the cases anew and record them. ``python -m clinic live
[PATTERN …]``: train them anew and judge that, whatever is recorded. ``python -m clinic show PATTERN …``: what was found
in some of the recorded ones."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

import torch

from clinic.case import Case
from clinic.catalogue import catalogue
from clinic.judging import Verdict, judge
from clinic.recording import load, path_of, record, recording
from clinic.report import details, page, shortfalls
from trainvitals.wire.recording import unpack
from trainvitals_server.diagnosis.catalogue import rules

PAGE: Final = Path(__file__).parents[1] / "docs/clinic.md"


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m clinic")
    parser.add_argument("what", nargs="?", choices=["judge", "record", "live", "show"], default="judge")
    parser.add_argument("patterns", nargs="*", help="names of cases: 'vanishing_*'")
    parser.add_argument("--missing", action="store_true", help="record only what is not recorded")
    chosen = parser.parse_args()
    if chosen.what == "live" and not chosen.patterns:
        parser.error("say which cases: 'vanishing_*'. All of them take an hour, and those that hang six minutes each")
    cases = catalogue(chosen.patterns)
    if chosen.what == "record":
        return _record(cases, only_missing=chosen.missing)
    verdicts = trained(cases) if chosen.what == "live" else judged(cases)
    if chosen.what in ("show", "live"):
        _show(verdicts)
        return 0 if chosen.what == "show" else _untrue(verdicts)
    text = page(verdicts)
    if not chosen.patterns:
        PAGE.write_text(text, encoding="utf-8")
    print(text, *details(verdicts), sep="\n")
    short = shortfalls(verdicts)
    print(*(f"not kept: {words}" for words in short), sep="\n")
    return 1 if short else 0


def judged(cases: list[Case]) -> list[Verdict]:
    """All recorded runs of these cases."""
    found = rules()
    return [judge(case, seed, load(path_of(case, seed)), found) for case in cases for seed in case.seeds]


def trained(cases: list[Case]) -> list[Verdict]:
    """All of these cases as they turn out when they are trained here and now."""
    torch.set_num_threads(1)
    found = rules()
    return [judge(case, seed, unpack(recording(case, seed)), found) for case in cases for seed in case.seeds]


def _untrue(verdicts: list[Verdict]) -> int:
    """Say which ills were not named, and what was alarmed of falsely: 1 if any."""
    wrong = [
        f"{one.case.name}-{one.seed}"
        for one in verdicts
        if one.false_alarms or (one.case.diagnosis is not None and not one.is_named)
    ]
    print(f"{len(verdicts) - len(wrong)} of {len(verdicts)} as they should be", *wrong, sep="\n  not so: ")
    return 1 if wrong else 0


def _record(cases: list[Case], *, only_missing: bool) -> int:
    torch.set_num_threads(1)
    for case in cases:
        for seed in case.seeds:
            if only_missing and path_of(case, seed).exists():
                continue
            began = time.perf_counter()
            record(case, seed)
            size = path_of(case, seed).stat().st_size
            print(f"{case.name}-{seed}: {time.perf_counter() - began:.1f} s, {size / 1000:.0f} kB", flush=True)
    return 0


def _show(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        print(f"{verdict.case.name}-{verdict.seed} ({verdict.steps} steps)")
        for one in verdict.findings:
            print(f"  {one.severity:8} {one.rule} at step {one.opened_step}, since {one.first_step}: {one.summary}")


if __name__ == "__main__":
    sys.exit(main())
