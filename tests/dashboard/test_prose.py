"""Code within advice has the look of code, and words have not."""

from __future__ import annotations

import pytest
from dash import html

from trainvitals_dashboard.parts.prose import with_code


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Lower the learning rate (÷ 10) and start again.", []),
        ("Clip: clip_grad_norm_(model.parameters(), 1.0).", ["clip_grad_norm_(model.parameters(), 1.0)"]),
        ("Try betas=(0.9, 0.95) and eps=1e-15.", ["betas=(0.9, 0.95)", "eps=1e-15"]),
        ("Count with torch.unique(ids).numel(), then go on.", ["torch.unique(ids).numel()"]),
        ("Is it nn.NLLLoss or nn.CrossEntropyLoss?", ["nn.NLLLoss", "nn.CrossEntropyLoss"]),
        ("Of the layer(s), mean reduction='mean' or \"sum\".", ["reduction='mean'"]),
        ("The loss is 0.3 (0.2 before), i.e. low.", []),
        ("model(batch), never model.module(batch).", ["model(batch)", "model.module(batch)"]),
    ],
)  # fmt: skip
def test_calls_arguments_and_names_stand_out(sentence: str, code: list[str]) -> None:
    pieces = with_code(sentence)

    assert [piece.children for piece in pieces if isinstance(piece, html.Code)] == code
    assert "".join(piece.children if isinstance(piece, html.Code) else piece for piece in pieces) == sentence
