"""The page of settings: all that a run was told, where it came from, and how to record what is not known."""

from __future__ import annotations

import json
from typing import Any

from dash import dcc

from trainvitals.wire.answers import MetricLast, RunDetail, RunSummary
from trainvitals.wire.messages import OptimizerInfo, ParameterGroup
from trainvitals.wire.rules import ProjectRules, RuleSettings
from trainvitals_dashboard.parts.config_card import config_card
from trainvitals_dashboard.parts.optimizers_card import optimizers_card
from trainvitals_dashboard.parts.origin_cards import code_card, data_card, environment_cards, patch_card, rules_card
from trainvitals_dashboard.parts.patch import changed_files, patch_told

CONFIG = {"seed": 17, "optimizer": {"lr": 0.001, "schedule": {"kind": "cosine"}}, "data": {"name": "digits"}}
PATCH = """diff --git a/train.py b/train.py
index 1111111..2222222 100644
--- a/train.py
+++ b/train.py
@@ -1,2 +1,3 @@ def train():
 import torch
-lr = 1
+lr = 2
+--steps
diff --git a/my old.py b/my new.py
similarity index 100%
rename from my old.py
rename to my new.py
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x = 1
"""


def run(**more: Any) -> RunDetail:
    last = {f"facts/{name}": MetricLast(step=1, value=value) for name, value in more.pop("facts", {}).items()}
    summary = RunSummary(
        run_id="r", project="p", name="net", status="running", created_at=1.0, heartbeat_at=1.0, last=last
    )
    return RunDetail(summary=summary, **more)


def texts(piece: Any) -> str:
    if isinstance(piece, (list, tuple)):
        return " ".join(word.strip() for word in map(texts, piece) if word.strip())
    return texts(piece.children) if hasattr(piece, "children") else "" if piece is None else str(piece)


def rows(piece: Any) -> list[str]:
    """What a search looks at, row by row."""
    told = [part.to_plotly_json()["props"] for part in piece._traverse() if hasattr(part, "to_plotly_json")]
    return [props["data-setting"] for props in told if "data-setting" in props]


def looks(piece: Any, look: str) -> list[str]:
    return [part.children for part in piece._traverse() if getattr(part, "className", None) == look]


def test_settings_without_a_group_come_first_and_nested_ones_beneath_their_common_name() -> None:
    card = config_card(CONFIG)

    assert rows(card) == ["seed 17", "optimizer.lr 0.001", "optimizer.schedule.kind cosine", "data.name digits"]
    assert "4 settings" in texts(card)


def test_settings_are_copied_as_the_json_that_they_are() -> None:
    (copy,) = [part for part in config_card(CONFIG)._traverse() if isinstance(part, dcc.Clipboard)]

    assert json.loads(copy.content) == CONFIG


def test_a_run_without_anything_says_how_to_record_each_of_it() -> None:
    bare = run()

    assert "tv.init(config=" in texts(config_card({}))
    assert "run.watch(model, optimizer)" in texts(optimizers_card([]))
    assert "git init" in texts(code_card(bare))
    assert 'config={"data"' in texts(data_card(bare))
    assert "tv.init" in texts(environment_cards(bare))
    assert patch_card(bare) is None


def test_all_settings_of_all_groups_of_an_optimizer_are_told() -> None:
    groups = [
        ParameterGroup(settings={"lr": 0.1, "betas": [0.9, 0.99], "amsgrad": False}, layers=["a", "b"]),
        ParameterGroup(settings={"lr": 0.2}, layers=["c"]),
    ]
    card = texts(optimizers_card([OptimizerInfo(kind="AdamW", groups=groups)]))

    assert "2 parameter groups" in card
    assert "group 0 group 1" in card
    assert "betas 0.9, 0.99 – amsgrad no –" in card
    assert "2: a, b 1: c" in card


def test_code_is_told_with_commit_branch_and_the_command_as_it_would_be_typed() -> None:
    told = {"revision": "3f2a-dirty", "branch": "warm-up", "diff": "9b1c", "command": ["train.py", "my data"]}
    card = texts(code_card(run(environment=told)))

    assert "commit 3f2a branch warm-up" in card
    assert "Fingerprint 9b1c" in card
    assert "train.py 'my data'" in card
    assert "all was committed" in texts(code_card(run(environment={"revision": "3f2a"})))


def test_changes_that_were_not_kept_say_how_to_keep_them() -> None:
    assert "TRAINVITALS_KEEP_DIFF=1" in texts(patch_card(run(environment={"revision": "3f2a-dirty", "diff": "9b1c"})))


def test_a_patch_is_told_file_by_file_with_what_was_added_and_removed() -> None:
    files = changed_files(PATCH)

    assert [(file.name, file.added, file.removed) for file in files] == [
        ("train.py", 2, 1),
        ("my new.py", 0, 0),
        ("gone.py", 0, 1),
    ]
    assert " rename from my old.py" in files[1].lines


def test_lines_of_a_patch_keep_their_signs_beside_their_colours() -> None:
    first, *_ = patch_told(PATCH)

    assert looks(first, "tv-df-add") == ["+lr = 2\n", "+--steps\n"]
    assert looks(first, "tv-df-del") == ["-lr = 1\n"]


def test_data_are_what_settings_name_so_and_what_the_loss_saw() -> None:
    card = data_card(run(config=CONFIG, facts={"classes": 10.0, "input_checksum": 3712345.0}))

    assert rows(card) == ["data.name digits", "classes 10", "checksum of a batch 3.71234e+06"]


def test_environment_and_packages_are_told_apart_and_code_is_not_repeated() -> None:
    told = {
        "python": "3.11",
        "cuda": None,
        "revision": "x",
        "patch": "y",
        "packages": {"numpy": "2.1", "einops": "0.8"},
    }

    assert rows(environment_cards(run(environment=told))) == ["python 3.11", "einops 0.8", "numpy 2.1"]


def test_rules_that_are_not_as_by_default_are_told_with_who_said_so() -> None:
    settings = RuleSettings(version=1, by="Ada", muted=["overfitting"], options={"loss_spike": {"sigmas": 12.0}})
    card = rules_card(run(muted=["data_not_shuffled"]), ProjectRules(project="p", settings=settings))

    assert rows(card) == [
        "data not shuffled muted by the script",
        "overfitting muted in the project by ada",
        "loss spike: sigmas 12.0",
    ]
