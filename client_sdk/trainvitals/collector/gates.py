"""What was computed, as autograd keeps it: whether an activation goes into a product with something else that is
computed, and so opens and shuts it, as gates do, and as swish and GELU do that are written out by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

from torch import Tensor
from torch.autograd.graph import Node

MOST_NODES: Final = 64  # that are looked at: between one layer and the next there are few
PRODUCTS: Final = frozenset({"MulBackward0", "AddcmulBackward0", "LerpBackward0", "LerpBackward1"})
SQUASHING: Final = frozenset({"TanhBackward0", "SigmoidBackward0"})
_LEAF: Final = "torch::autograd::AccumulateGrad"


def number_of(node: Node | None) -> int | None:
    """By which a thread's nodes are told apart; to hold the node itself would hold all that was computed before it."""
    number = getattr(node, "_sequence_nr", None)
    return None if number is None else int(number())


def met(tensors: Iterable[Tensor], wanted: Collection[int]) -> dict[int, bool]:
    """Of the ``wanted`` numbers of squashing nodes those on the way to ``tensors``, each with whether it is a factor of
    a product there. What a parameter, a constant or a mask is multiplied with is no factor."""
    found: dict[int, bool] = {}
    waiting = deque((tensor.grad_fn, False) for tensor in tensors if tensor.grad_fn is not None)
    seen = set(waiting)
    looked = 0
    while waiting and looked < MOST_NODES and len(found) < len(wanted):
        node, is_factor = waiting.popleft()
        looked += 1
        number = number_of(node) if node.name() in SQUASHING else None
        if number is not None and number in wanted:
            found[number] = found.get(number, False) or is_factor
            continue
        behind = [one for one, _ in node.next_functions if one is not None and one.name() != _LEAF]
        is_factor = is_factor or (node.name() in PRODUCTS and len(behind) > 1)
        fresh = [pair for one in behind if (pair := (one, is_factor)) not in seen]
        seen.update(fresh)
        waiting.extend(fresh)
    return found
