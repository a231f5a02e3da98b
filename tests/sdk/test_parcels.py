"""What is gathered for the one copy to the host."""

from __future__ import annotations

import torch

from trainvitals.collector.parcel import on_one_device


def test_tensors_are_gathered_on_a_device_and_not_on_the_host_which_would_not_wait_for_them() -> None:
    on_host, on_device = torch.ones(1), torch.ones(1, device="meta")

    assert [one.device.type for one in on_one_device([on_host, on_device, on_host])] == ["meta"] * 3
    assert [one.device.type for one in on_one_device([on_host, on_host])] == ["cpu"] * 2
    assert on_one_device([]) == []
