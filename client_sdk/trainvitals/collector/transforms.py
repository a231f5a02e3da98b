"""Whether what is computed now is what the script itself computes."""

from __future__ import annotations

import torch


def is_transformed() -> bool:
    """Within a transform of torch.func, such as vmap or grad: its tensors are none outside, and must not be kept."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def is_repeated() -> bool:
    """Within a backward pass, as where activation checkpointing makes outputs again."""
    return torch._C._current_graph_task_id() != -1
