"""What metrics mean: as scripts define them, else by the names that are usual."""

from __future__ import annotations

import pytest

from trainvitals.wire.definitions import Definitions
from trainvitals.wire.notes import MetricDefinition, Role

LOSS = MetricDefinition(role="loss")
UNSEEN = MetricDefinition(role="validation_loss")


@pytest.mark.parametrize(
    "name",
    [
        *("loss", "Loss", "train_loss", "train/loss", "train-loss", "Train Loss", "training_loss", "training loss"),
        *("Loss/train", "loss/train", "Loss/Training", "train_loss_step", "train/loss_epoch", "loss_step"),
        *("total_loss", "loss/total", "train/total_loss", "loss/train/total"),
    ],
)
def test_the_training_loss_is_known_by_usual_names(name: str) -> None:
    assert Definitions().metric("loss", ["accuracy", name, "lr"]) == name


@pytest.mark.parametrize(
    "name",
    [
        *("val_loss", "val/loss", "validation_loss", "valid_loss", "eval_loss", "eval/loss", "test_loss", "Val Loss"),
        *("Loss/val", "loss/validation", "Loss/test", "val_loss_epoch", "val/total_loss", "loss/eval/total"),
    ],
)
def test_the_loss_of_a_validation_is_known_by_usual_names_and_is_not_the_trainings(name: str) -> None:
    assert Definitions().role(name) == "validation_loss"


@pytest.mark.parametrize(
    "name",
    [
        *("loss/data", "loss/regularisation", "train/box_loss", "loss_cls", "val/box_loss", "g_loss", "policy_loss"),
        *("facts/loss", "loss_scale", "accuracy", "loss/val/data", "losses", "no_loss", "weight_loss", "lossless", ""),
    ],
)
def test_parts_of_a_loss_and_what_only_sounds_like_one_are_no_loss(name: str) -> None:
    assert Definitions().role(name) is None


@pytest.mark.parametrize(
    ("logged", "chosen"),
    [
        (["train/loss", "train_loss", "loss"], "loss"),
        (["train/loss", "train_loss"], "train_loss"),
        (["Loss", "loss"], "loss"),
        (["loss/total", "loss/data", "loss/train"], "loss/train"),
        (["train_loss_epoch", "train_loss_step"], "train_loss_step"),
    ],
)
def test_of_several_names_the_most_usual_is_the_loss_in_whatever_order(logged: list[str], chosen: str) -> None:
    assert {Definitions().metric("loss", order) for order in (logged, logged[::-1])} == {chosen}


@pytest.mark.parametrize(
    ("given", "role", "chosen"),
    [
        ({"objective": LOSS}, "loss", "objective"),
        ({"*/objective": LOSS}, "loss", "train/objective"),  # and not what a validation logs
        ({"*jective": LOSS, "train/objective": LOSS}, "loss", "train/objective"),
        ({"*/objective": LOSS, "val/objective": UNSEEN}, "validation_loss", "val/objective"),
        ({"*/objective": LOSS, "train/objective": MetricDefinition(goal="minimize")}, "loss", "loss"),
        ({"loss": UNSEEN}, "validation_loss", "loss"),
        ({"loss": UNSEEN}, "loss", None),
        ({"gone": LOSS}, "loss", "loss"),
        ({"loss": MetricDefinition(summary="min")}, "loss", "loss"),
        ({"*": LOSS}, "loss", "train/objective"),
    ],
)
def test_what_a_script_says_comes_before_names(
    given: dict[str, MetricDefinition], role: Role, chosen: str | None
) -> None:
    logged = ["loss", "objective", "train/objective", "val/objective", "facts/loss"]
    assert Definitions(given).metric(role, logged) == chosen
