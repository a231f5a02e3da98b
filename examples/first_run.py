"""The smallest training that trainvitals watches: no download, no GPU, ten seconds. Start a server first."""

from __future__ import annotations

import torch
from torch import nn

import trainvitals as tv

STEPS = 1000
SETTINGS = {"lr": 1e-3, "width": 64, "batch_size": 64}

torch.manual_seed(0)
inputs = torch.randn(4096, 32)
labels = (inputs[:, :8].sum(1) > 0).long() + 2 * (inputs[:, 8:16].sum(1) > 0).long()

width = SETTINGS["width"]
model = nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=SETTINGS["lr"])  # try 1000 instead, and see what is found

with tv.init(project="first", name="first run", config=SETTINGS) as run:
    run.watch(model, optimizer)
    for _ in range(STEPS):
        picked = torch.randint(0, len(inputs), (SETTINGS["batch_size"],))
        answers = model(inputs[picked])
        loss = nn.functional.cross_entropy(answers, labels[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss, "accuracy": (answers.argmax(1) == labels[picked]).float().mean()})
