"""Attention maps: the weights of every call that attends, of few heads, queries and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainvitals.inside.sketches import MAX_CELLS, MAX_TILES, Sketch, Subject, chosen, drawn_each, spread

SOFTMAX: Final = (torch.softmax, functional.softmax, Tensor.softmax)
LAST: Final = (-1, 3)
MOST_WEIGHTS: Final = 2**24  # that nn.MultiheadAttention is asked for: 64 MB


class AttentionMaps(TorchFunctionMode):
    """While it is entered: what ``scaled_dot_product_attention`` and ``nn.MultiheadAttention`` weigh, and what is
    written out by hand, as a softmax over the last of four dimensions. ``where`` says which module is at work; of each
    the first call counts."""

    def __init__(self, where: Callable[[], str], *, examples: int) -> None:
        super().__init__()
        self.found: dict[str, list[Sketch]] = {}
        self._where = where
        self._examples = examples

    def __torch_function__(  # Any: as PyTorch has it
        self, function: Any, types: Any, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        if function is functional.multi_head_attention_forward:
            return self._of_module(function, given, named)
        answer = function(*given, **named)
        try:
            if function is functional.scaled_dot_product_attention and answer.dim() in (3, 4) and self._is_new():
                self._keep(*weights_of(*given, **named))
            elif function in SOFTMAX and answer.dim() == 4 and _dim(given, named) in LAST and self._is_new():
                self._keep(*few_of(answer))
        except Exception:  # noqa: BLE001  # the border: the model has its answer, and this layer no picture
            pass
        return answer

    def _of_module(self, function: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Asked for the weights of each head, whatever the module wants of them."""
        if not self._is_new() or _weights_asked_for(given) > MOST_WEIGHTS:
            return function(*given, **named)
        wants, averages = named.get("need_weights", True), named.get("average_attn_weights", True)
        answer, weights = function(*given, **{**named, "need_weights": True, "average_attn_weights": False})
        if weights.dim() == 3:  # without a batch
            weights = weights.unsqueeze(0)
        self._keep(*few_of(weights))
        return answer, (weights.mean(dim=1) if averages else weights) if wants else None

    def _is_new(self) -> bool:
        return self._where() not in self.found

    def _keep(self, weights: Tensor, heads: list[int], shape: tuple[int, ...]) -> None:
        """[examples, heads, queries, keys]."""
        if weights.shape[0] != self._examples:
            return
        layer = self._where()
        subject = Subject(layer=layer, kind="attention", shape=shape)
        self.found[layer] = drawn_each(subject, weights, of=heads)


def _weights_asked_for(given: tuple[Any, ...]) -> int:
    """How many there are for all examples, heads, queries and keys: the module gives all or none. As modules call it
    (query, key, value, embed_dim_to_check, num_heads), with or without a batch in the middle."""
    query, key, heads = given[0], given[1], given[4]
    return int(query.shape[0] * key.shape[0] * heads * (query.shape[1] if query.dim() == 3 else 1))


def _dim(given: tuple[Any, ...], named: dict[str, Any]) -> Any:  # Any: of a softmax
    return given[1] if len(given) > 1 else named.get("dim")


def few_of(weights: Tensor) -> tuple[Tensor, list[int], tuple[int, ...]]:
    """Of weights [examples, heads, queries, keys] few, with the heads that they are of, and the shape of all."""
    few, heads = chosen(weights, 1, MAX_TILES)
    few, _ = chosen(few, 2, MAX_CELLS)
    return _fewer_keys(few), heads, tuple(weights.shape)


def weights_of(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, list[int], tuple[int, ...]]:
    """The same of a call of ``scaled_dot_product_attention``, computed anew for few heads and queries."""
    if query.dim() == 3:
        query, key = query.unsqueeze(1), key.unsqueeze(1)
        if attn_mask is not None and attn_mask.dim() == 3:
            attn_mask = attn_mask.unsqueeze(1)
    examples, all_heads, queries, features = query.shape
    keys = key.shape[-2]
    heads, rows = spread(all_heads, MAX_TILES), spread(queries, MAX_CELLS)
    shared = all_heads // key.shape[1] if key.shape[1] else 1  # heads of queries that share a head of keys
    few = query[:, heads][:, :, rows].float()
    seen = key[:, [head // shared for head in heads]].float()
    logits = few @ seen.mT * (features**-0.5 if scale is None else scale)
    if attn_mask is not None:
        mask = attn_mask.expand(examples, all_heads, queries, keys)[:, :, rows][:, heads]
        logits = logits.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else logits + mask
    if is_causal:
        places = torch.arange(keys, device=logits.device)
        logits = logits.masked_fill(places > places.new_tensor(rows).unsqueeze(1), -torch.inf)
    return _fewer_keys(logits.softmax(dim=-1)), heads, (examples, all_heads, queries, keys)


def _fewer_keys(weights: Tensor) -> Tensor:
    """Neighbouring keys taken together, so that a query's weights still come to one."""
    keys = weights.shape[-1]
    if keys <= MAX_CELLS:
        return weights
    size = (weights.shape[-2], MAX_CELLS)
    return functional.adaptive_avg_pool2d(weights.float(), size) * (keys / MAX_CELLS)
