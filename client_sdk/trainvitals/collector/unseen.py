"""What is said where not all can be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from torch import nn

from trainvitals.collector.roots import compiled_parts

FLATTENED: Final = (
    "FSDP1 (FullyShardedDataParallel) has each rank hold pieces of parameters that are put into one: stats of "
    "gradients, weights and updates are left out, and so are the gradient's norm and clipping; of FSDP2 (fully_shard) "
    "all are told"
)


def blind_words(why: str, *, with_attention: bool) -> str:
    """That no layer's output is seen, and why."""
    stats = "activation and attention stats" if with_attention else "activation stats"
    return f"outputs of layers are not seen, for {why}: {stats} are left out, all others are recorded"


class CompiledParts:
    """Tells of each part of the models that is compiled by itself, whenever that happens, once."""

    def __init__(self, roots: Sequence[nn.Module], tell: Callable[[str], None]) -> None:
        self._roots = roots
        self._tell = tell
        self._known: set[tuple[int, str]] = set()  # the root's place and the part's name

    def look(self) -> None:
        """Tell of those that were not known yet."""
        for place, part in [(place, part) for place, root in enumerate(self._roots) for part in compiled_parts(root)]:
            if (place, part) not in self._known:
                self._known.add((place, part))
                self._tell(
                    f"outputs of layers in {part!r} are not seen, for it is compiled: activation stats are left out"
                )
