"""What watching costs a training step, ours beside peers: ratios to the bare loop in one run, interleaved, medians.

Run as ``python -m benchmarks.overhead [--quick | --rounds 5] [--device cpu] [--alone]``; on CUDA where there is one.
Peers that are not installed are said to be missing: ``make bench-peers`` brings them. Peers that write much slow
whoever runs beside them, so that differences of one hundredth are told ``--alone``, and on a restless machine of what
snapshots cost by their ``--neighbours``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

import torch

from benchmarks.overhead.contestant import Contestant
from benchmarks.overhead.device import chosen, described
from benchmarks.overhead.neighbours import beside
from benchmarks.overhead.networks import NETWORKS
from benchmarks.overhead.racing import Make, race

OWN: Final = ("bare", "ours")
PEERS: Final = ("wandb_watch", "tensorboard_histograms", "trainscope_steps")
ROUNDS: Final = 9
QUICK_ROUNDS: Final = 3
BARE: Final = "bare"
AGAIN: Final = "bare, again"
DEFAULTS: Final = "trainvitals, defaults"
LATER: Final = "trainvitals, defaults, later"
EVERY_STEP: Final = "trainvitals, every step"
PROMISED: Final = {  # by contestant, then by network
    DEFAULTS: dict.fromkeys(NETWORKS, 1.02),
    LATER: dict.fromkeys(NETWORKS, 1.02),
    EVERY_STEP: {"small CNN": 1.25, "small GPT": 1.15, "200 small layers": 1.6},
}


def present(*, alone: bool = False) -> list[Contestant]:
    """All whose packages are installed, or ours ``alone`` and the bare loop."""
    found: list[Contestant] = []
    for name in OWN if alone else (*OWN, *PEERS):
        try:
            found += import_module(f"benchmarks.overhead.contestants.{name}").CONTESTANTS
        except ImportError as error:
            print(f"missing: {name} ({error}); make bench-peers installs it")
    return found


def promise(contestant: str, network: str, ratio: float) -> str:
    """What was promised, and whether it is kept; nothing where nothing was."""
    most = PROMISED.get(contestant, {}).get(network)
    if most is None:
        return ""
    return f"{most}: {'kept' if ratio <= most else 'beyond'}"


def tell_of_neighbours(networks: Mapping[str, Make], *, rounds: int, device: torch.device) -> None:
    """Print what ours costs by the steps beside those that are sampled."""
    (defaults,) = (one for one in present(alone=True) if one.name == DEFAULTS)
    print("what snapshots cost beyond the steps beside them, in the first thousand steps (median of rounds)")
    print(f"{'network':<20}{'snapshots':>10}{'each, steps':>13}{'of all steps':>14}{'beyond the dense start':>24}")
    for network, make in networks.items():
        told = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                told.append(beside(defaults, make, device=device, folder=Path(folder)))
        middle = [statistics.median(getattr(one, name) for one in told) for name in ("each", "share", "later")]
        snapshots = statistics.median(one.snapshots for one in told)
        print(f"{network:<20}{snapshots:>10.0f}{middle[0]:>13.2f}{middle[1]:>13.2%}{middle[2]:>23.2%}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, noisier figures")
    parser.add_argument("--rounds", type=int, help=f"of each network; default: {ROUNDS}, or {QUICK_ROUNDS} if quick")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="this one alone; may be repeated")
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--neighbours", action="store_true", help="what snapshots alone cost, by the steps beside them")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 …; default: cuda where there is one, else cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rounds = asked.rounds or (QUICK_ROUNDS if asked.quick else ROUNDS)
    networks = {name: make for name, make in NETWORKS.items() if not asked.network or name in asked.network}
    device = chosen(asked.device, has_cuda=torch.cuda.is_available())
    print(f"on {described(device)}")
    if asked.neighbours:
        tell_of_neighbours(networks, rounds=rounds, device=device)
        return
    print("time of a step, as a multiple of the bare loop's (median of rounds)")
    print(f"{'network':<20}{'contestant':<32}{'ratio':>9}{'from':>9}{'to':>9}{'ms':>10}  promise")
    contestants = present(alone=asked.alone)
    for network, make in networks.items():
        seconds = race(contestants, make, rounds=rounds, device=device)
        for name, spent in seconds.items():
            ratios = [one / bare for one, bare in zip(spent, seconds[BARE], strict=True)]
            middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
            milliseconds = 1000 * statistics.median(spent)
            line = f"{network:<20}{name:<32}{middle:>8.3f}×{least:>8.3f}×{most:>8.3f}×{milliseconds:>10.2f}"
            print(f"{line}  {promise(name, network, middle)}".rstrip(), flush=True)
    print(f"{AGAIN!r} is the same loop once more: differences of its size are the machine's noise")


if __name__ == "__main__":
    main()
