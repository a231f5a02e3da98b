"""The logits of a few queries of an attention, computed anew against all their keys."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

MOST_HEADS: Final = 16  # of all heads of all examples
MOST_QUERIES: Final = 64  # over all these heads
MOST_KEY_VALUES: Final = 2**21  # 8 MB: fewer heads where the keys of one are many, but always one
MASKED: Final = -1e4  # what a mask of floating point takes away so much from has no weight, whatever its logit


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which queries are looked at: of each head (its indices in the leading dimensions) those at ``start``, ``start +
    stride`` …, ``count`` of them."""

    heads: list[tuple[int, ...]]
    start: int
    stride: int
    count: int

    @classmethod
    def among(cls, lead: tuple[int, ...], *, queries: int, key_values: int) -> Places:
        """Spread evenly over examples, heads and queries; ``key_values``: what the keys of one head have."""
        whole = math.prod(lead)
        chosen = max(1, min(MOST_HEADS, whole, MOST_KEY_VALUES // max(1, key_values)))
        step = whole // chosen
        while math.gcd(step, lead[-1] if lead else 1) != 1:  # else the same head of each example would be taken
            step -= 1
        count = min(queries, MOST_QUERIES // chosen)
        stride = queries // count
        start = (queries - 1 - (count - 1) * stride) // 2
        heads = [_unravelled(place * step, lead) for place in range(chosen)]
        return cls(heads=heads, start=start, stride=stride, count=count)

    def rows(self, tensor: Tensor) -> Tensor:
        """Of [..., queries, n] those of the queries: [heads, count, n]."""
        places = slice(self.start, self.start + (self.count - 1) * self.stride + 1, self.stride)
        return torch.stack([tensor[head][places] for head in self.heads])

    def positions(self, like: Tensor) -> Tensor:
        """Of the queries, [count]."""
        return torch.arange(self.count, device=like.device) * self.stride + self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A mask that can be expanded to [..., queries, keys]: added where it is of floating point, else it marks what is
    seen, or what is not (``marks_hidden``)."""

    values: Tensor
    marks_hidden: bool = False


def of_function(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """Logits and what is allowed, both [rows, keys], of a call of ``scaled_dot_product_attention``."""
    shared = query.shape[-3] // key.shape[-3] if enable_gqa else 1  # heads of queries that share a head of keys
    lead = query.shape[:-2] if enable_gqa else torch.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    queries, keys, features = query.shape[-2], key.shape[-2], query.shape[-1]
    places = Places.among(tuple(lead), queries=queries, key_values=keys * features)
    query = query.expand(*lead, queries, features)
    key = key if enable_gqa else key.expand(*lead, keys, features)
    few_keys = torch.stack([key[(*head[:-1], head[-1] // shared) if enable_gqa else head] for head in places.heads])
    masks = [] if attn_mask is None else [Mask(values=attn_mask.expand(*lead, queries, keys))]
    few, kept = _as_autocast_has_them(places.rows(query), few_keys)
    return _scored(few, kept, places, masks, scale=features**-0.5 if scale is None else scale, is_causal=is_causal)


def of_module(
    module: nn.MultiheadAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """The same of a call of ``nn.MultiheadAttention``; its projections of the few are computed anew."""
    query, key = (_batch_first(tensor.detach(), module) for tensor in (query, key))
    examples, queries, keys, heads, features = (
        query.shape[0], query.shape[1], key.shape[1], module.num_heads, module.head_dim,
    )  # fmt: skip
    places = Places.among((examples, heads), queries=queries, key_values=keys * features)
    weights, biases = _projections(module)
    inputs = places.rows(query.unsqueeze(1).expand(-1, heads, -1, -1))
    parts = [slice(head[1] * features, (head[1] + 1) * features) for head in places.heads]
    few = [_projected(one, weights[0], biases[0], part) for one, part in zip(inputs, parts, strict=True)]
    seen = [
        _projected(key[head[0]], weights[1], biases[1], part) for head, part in zip(places.heads, parts, strict=True)
    ]
    if module.bias_k is not None:
        added = module.bias_k.detach().view(heads, 1, features)
        seen = [torch.cat((one, added[head[1]].to(one))) for one, head in zip(seen, places.heads, strict=True)]
    if module.add_zero_attn:
        seen = [torch.cat((one, one.new_zeros(1, features))) for one in seen]
    masks = []
    if attn_mask is not None:
        of_heads = attn_mask.view(examples, heads, queries, keys) if attn_mask.dim() == 3 else attn_mask
        masks.append(Mask(values=of_heads.expand(examples, heads, queries, keys), marks_hidden=True))
    if key_padding_mask is not None:
        padding = key_padding_mask.view(examples, 1, 1, keys).expand(examples, heads, queries, keys)
        masks.append(Mask(values=padding, marks_hidden=True))
    return _scored(torch.stack(few), torch.stack(seen), places, masks, scale=features**-0.5, is_causal=False)


def _scored(
    query: Tensor, key: Tensor, places: Places, masks: Iterable[Mask], *, scale: float, is_causal: bool
) -> tuple[Tensor, Tensor]:
    """Of queries [heads, count, n] and keys [heads, keys, n], in single precision at least."""
    wide = torch.promote_types(query.dtype, torch.float32)
    with _without_autocast(query.device.type):
        logits = torch.bmm(query.to(wide), key.to(wide).mT).mul_(scale)
    allowed = torch.ones_like(logits, dtype=torch.bool)
    for mask in masks:
        few = places.rows(mask.values)
        few = pad(few, (0, logits.shape[-1] - few.shape[-1]))  # keys that the module adds are never masked
        if few.dtype == torch.bool:
            allowed &= ~few if mask.marks_hidden else few
        else:
            logits += few
            allowed &= few > MASKED
    if is_causal:
        allowed &= torch.arange(logits.shape[-1], device=logits.device) <= places.positions(logits).unsqueeze(1)
    return logits.flatten(0, 1), allowed.flatten(0, 1)


def _as_autocast_has_them(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Rounded as the attention gets to see them."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return tensors
    dtype = torch.get_autocast_dtype(kind)
    return tuple(tensor if tensor.dtype == torch.float64 else tensor.to(dtype) for tensor in tensors)


def _without_autocast(kind: str) -> contextlib.AbstractContextManager[object]:
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else contextlib.nullcontext()


def _batch_first(tensor: Tensor, module: nn.MultiheadAttention) -> Tensor:
    if tensor.dim() == 2:
        return tensor.unsqueeze(0)
    return tensor if module.batch_first else tensor.transpose(0, 1)


def _projections(module: nn.MultiheadAttention) -> tuple[list[Tensor], list[Tensor | None]]:
    """Weights and biases of queries and keys. Detached, so that autocast keeps no copy that knows no gradient."""
    size = module.embed_dim
    packed = module.in_proj_weight
    weights = (
        [module.q_proj_weight, module.k_proj_weight] if packed is None else [packed[:size], packed[size : 2 * size]]
    )
    bias = module.in_proj_bias
    biases: list[Tensor | None] = (
        [None, None] if bias is None else [bias[:size].detach(), bias[size : 2 * size].detach()]
    )
    return [weight.detach() for weight in weights], biases


def _projected(inputs: Tensor, weight: Tensor, bias: Tensor | None, rows: slice) -> Tensor:
    """[n, inputs] to one head's [n, features], which are ``rows`` of the weight."""
    return linear(inputs, weight[rows], None if bias is None else bias[rows])


def _unravelled(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    indices = []
    for size in reversed(shape):
        place, index = divmod(place, size)
        indices.append(index)
    return tuple(reversed(indices))
