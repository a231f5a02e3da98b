"""Whether the labels of a batch are mixed, and how unequal the classes are."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from trainvitals.preflight.case import Case
from trainvitals.preflight.losses import IGNORED, OF_CLASSES, understand
from trainvitals.preflight.verdict import Verdict, failed, passed, unknown
from trainvitals.wire.preflight import Stage

STAGE: Final[Stage] = "start simple"
FEWEST: Final = 16  # labels, of which something can be told
LARGE: Final = 0.7  # of all labels: where accuracy stops telling anything


def label_balance(case: Case) -> Verdict:
    """A batch of a classification has labels of several classes, none of which crowds out the others.

    Source: TheDeepChecker 2022 (label balance); a batch of one class is what data that are not shuffled look like.
    Cries wolf: two classes, of which one is rare, as with fraud, and the halves of a GAN (unknown); labels of pixels or
    words (unknown); one batch never tells of the whole data set (unequal classes are unknown).
    """
    known = understand(case)
    if known is None:
        return unknown(
            "which loss it is could not be told, nor whether there are classes",
            advice=["Count the labels of some batches by hand."],
        )
    if known.kind not in OF_CLASSES:
        return passed("not a classification into classes: there is nothing to balance")
    labels = case.targets[case.targets != IGNORED] if isinstance(case.targets, Tensor) else known.labels
    labels = labels if not labels.is_floating_point() else known.labels
    counts = torch.bincount(labels.flatten().long(), minlength=known.classes)
    total, most = int(counts.sum()), int(counts.max())
    seen = int((counts > 0).sum())
    share = most / max(1, total)
    numbers = {"labels": total, "classes seen": seen, "share of the largest": share}
    if total < FEWEST:
        return unknown(f"{total} labels are too few to judge", numbers, advice=["Give a larger batch."])
    largest = int(counts.argmax())
    if seen == 1:
        said = f"all {total} labels of the batch are {largest}"
        if known.classes > 2 and case.targets.dim() == 1:
            return failed(
                said, numbers, advice=["Shuffle: DataLoader(…, shuffle=True). Else look where labels get lost."]
            )
        return unknown(
            said, numbers, advice=["Look at several batches; a class that is rare needs weights or sampling."]
        )
    if share > LARGE:
        return unknown(
            f"class {largest} has {share:.0%} of the labels: always saying so would be right as often",
            numbers,
            advice=[
                "Count the labels of the whole data set; judge by more than accuracy, and weigh or sample classes."
            ],
        )
    entropy = float(torch.special.entr(counts / total).sum()) / math.log(min(known.classes, total))
    numbers["evenness"] = entropy
    return passed(f"{seen} of {known.classes} classes among {total} labels, the largest with {share:.0%}", numbers)
