"""The rows of the table of set-ups and statistics, and what its cells say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.sdk import setups_of_loops as loops
from tests.sdk import setups_of_models as models
from tests.sdk.plain_reference import Observer

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "activations": (
        "activation_mean", "activation_std", "activation_max", "zero_fraction", "activation_nonfinite",
        "saturated_fraction", "dead_fraction", "running_drift", "running_variance_drift",
    ),
    "gradients": ("grad_norm", "grad_max", "grad_mean", "grad_zero_fraction", "grad_nonfinite"),
    "weights and updates": (
        "weight_norm", "update_ratio", "update_rms", "weight_max", "init_distance", "lost_update_fraction",
        "unmoved_fraction",
    ),
    "optimizer state": ("second_moment_rms", "adam_rms", "epsilon_fraction"),
    "histograms": ("weights", "gradients", "activations"),
    "metrics": (
        "loss", "lr", "lr/1", "grad_norm", "grad_norm_before_clipping", "clipped_fraction", "loss_scale",
        "skipped_steps", "gradient_noise_scale",
    ),
    "times": (
        "seconds/step", "seconds/data", "seconds/forward", "seconds/backward", "seconds/optimizer",
        "examples_per_second",
    ),
}  # fmt: skip
HISTOGRAMS: Final = "histograms"
METRICS: Final = "metrics"
TIMES: Final = "times"
OF_LAYERS: Final = [group for group in GROUPS if group not in (HISTOGRAMS, METRICS, TIMES)]
TRUE: Final = "✓"
NONE: Final = "–"
UNSEEN: Final = "not seen, and the terminal says so"

ACTIVATIONS, GRADIENTS, WEIGHTS, STATE = "activations", "gradients", "weights and updates", "optimizer state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A training, and what can be had of it. ``notes``: what a group's cell says beyond that all is measured.
    ``unseen``: groups that cannot be had, of which the terminal says ``told``; ``unseen_layers``: only in layers whose
    names begin so. ``absent``: groups of which there is nothing to tell, and why. ``undefined``: stats and layers that
    are left out. ``slow``: it compiles, or starts processes."""

    name: str
    train: Callable[[Observer], None]
    notes: Mapping[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    unseen_layers: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)
    undefined: tuple[tuple[str, str], ...] = ()
    told: str = ""
    slow: bool = False
    processes: int = 1

    def cell(self, group: str) -> str:
        """What the table says."""
        note = self.notes.get(group, "")
        if group in self.absent:
            return f"{NONE} {self.absent[group]}"
        if group in self.unseen and not (self.unseen_layers and group == ACTIVATIONS):
            return note or UNSEEN
        return f"{TRUE} {note}".strip()


def compiled(name: str, train: Callable[[Observer], None], told: str, *, is_called: bool = False) -> Setup:
    """A model whose layers' hooks do not run; nor its own, unless what ``is_called`` is the model that is watched."""
    return Setup(
        name=name,
        train=train,
        notes={HISTOGRAMS: "of weights and gradients", **({} if is_called else {TIMES: OPTIMIZER_ALONE})},
        unseen=(ACTIVATIONS,) if is_called else (ACTIVATIONS, TIMES),
        told=told,
        slow=True,
    )


OPTIMIZER_ALONE: Final = "the whole step's and the optimizer's alone"
COMPILED: Final = "outputs of layers are not seen, for the model is compiled"
UNHEARD: Final = "outputs of layers are not seen, for their hooks do not run"

SETUPS: Final = [
    Setup(name="the ordinary loop", train=loops.ordinary),
    Setup(
        name="gradient accumulation",
        train=loops.accumulation,
        notes={
            ACTIVATIONS: "of all passes together",
            GRADIENTS: "as the optimizer sees them, once a step",
            WEIGHTS: "once a step",
            HISTOGRAMS: "of all passes together",
            METRICS: "with the noise scale",
        },
    ),
    Setup(
        name="`GradScaler`",
        train=loops.scaled,
        notes={
            ACTIVATIONS: "of steps that were taken",
            GRADIENTS: "unscaled",
            WEIGHTS: "of steps that were taken",
            METRICS: "with scale and skipped steps",
            TIMES: "skipped steps' with those of the next",
        },
    ),
    Setup(
        name="clipping",
        train=loops.clipped,
        notes={GRADIENTS: "after it", METRICS: "with the norm before it, and how often it bites"},
    ),
    Setup(name="autocast", train=loops.autocast, notes={ACTIVATIONS: "in the precision that they come in"}),
    compiled("`torch.compile` of the model, before `watch`", loops.compiled_before, COMPILED, is_called=True),
    compiled("`torch.compile` of the model, after `watch`", loops.compiled_after, UNHEARD),
    compiled("`model.compile()`", loops.compiled_in_place, COMPILED),
    compiled("`torch.compile` of the loss", loops.compiled_loss, UNHEARD),
    Setup(
        name="`torch.compile` of a part",
        train=loops.compiled_in_part,
        notes={
            ACTIVATIONS: "of all other layers; the terminal names the part",
            HISTOGRAMS: "of outputs, those of all other layers",
            TIMES: f"{OPTIMIZER_ALONE}, for the whole is never called",
        },
        unseen=(ACTIVATIONS, TIMES),
        unseen_layers="body.",
        told="outputs of layers in 'body' are not seen, for it is compiled",
        slow=True,
    ),
    Setup(
        name="`torch.compile` of the training step",
        train=loops.compiled_step,
        unseen=tuple(GROUPS),
        notes={METRICS: "what is logged, which counts the steps, and the terminal says so"},
        told="the watched optimizer's steps are not seen (is its step compiled, or another model trained?): log() "
        "counts the steps",
        slow=True,
    ),
    Setup(name="several optimizers of one model", train=models.several_optimizers),
    Setup(
        name="GAN with an optimizer each",
        train=models.gan,
        notes={
            ACTIVATIONS: "of the whole round",
            GRADIENTS: "of each optimizer's own step",
            WEIGHTS: "of each optimizer's own step",
            TIMES: "examples of the model that is given the most",
        },
    ),
    Setup(
        name="several models",
        train=models.several_models,
        notes={ACTIVATIONS: "names begin with the model's", TIMES: "examples of the model that is given the most"},
    ),
    Setup(
        name="shared and tied parameters, layers called several times",
        train=partial(models.trained, make=models.Tied),
        notes={
            ACTIVATIONS: "all calls as one",
            GRADIENTS: "at the first layer that has them",
            WEIGHTS: "at the first layer that has them",
            STATE: "at the first layer that has them",
        },
    ),
    Setup(
        name="frozen layers, LoRA",
        train=partial(models.trained, make=models.Adapted),
        notes={GRADIENTS: "NaN where there is none", WEIGHTS: "a ratio of 0 where nothing moves"},
    ),
    Setup(
        name="sparse gradients",
        train=models.sparse,
        notes={
            GRADIENTS: "zeros among them",
            WEIGHTS: "but `lost_update_fraction`",
            STATE: "but `adam_rms`",
        },
        undefined=(("lost_update_fraction", "0"), ("adam_rms", "0")),
    ),
    Setup(
        name="closures (L-BFGS)",
        train=loops.closures,
        notes={GRADIENTS: "those that the step itself makes"},
        absent={STATE: "it has no second moments"},
    ),
    Setup(
        name="RNN and attention",
        train=partial(models.trained, make=models.Recurrent),
        notes={ACTIVATIONS: "the output, not states and weights"},
    ),
    Setup(
        name="outputs that are tuples, lists, mappings, dataclasses, or no tensors at all",
        train=partial(models.trained, make=models.Forms),
        notes={ACTIVATIONS: "the first tensor of floating point"},
    ),
    Setup(name="evaluation passes in between", train=loops.evaluated, notes={ACTIVATIONS: "of training alone"}),
    *(
        Setup(
            name=f"activation checkpointing, {'' if reentrant else 'not '}reentrant",
            train=partial(models.recomputed, reentrant=reentrant),
            notes={ACTIVATIONS: "counted once"},
        )
        for reentrant in (True, False)
    ),
    Setup(
        name="in-place operations",
        train=partial(models.trained, make=models.InPlace),
        notes={ACTIVATIONS: "as each layer gave them out"},
    ),
    Setup(
        name="`DataParallel` without GPUs",
        train=loops.in_parallel,
        notes={ACTIVATIONS: "of the one model that there is: replicas are not tested without two GPUs"},
    ),
    Setup(
        name="`DistributedDataParallel`, two processes",
        train=loops.distributed,
        notes={
            ACTIVATIONS: "of rank 0's share of the batch",
            GRADIENTS: "as all ranks have them",
            HISTOGRAMS: "of outputs, those of rank 0's share",
            METRICS: "each rank's own loss, the gradient's norm as all have it",
            TIMES: "each rank's own",
        },
        slow=True,
        processes=2,
    ),
    Setup(
        name="`torch.save`, `deepcopy` and pickling in between",
        train=loops.copied,
        notes={ACTIVATIONS: "none of the copies'"},
    ),
    Setup(name="`unwatch`, and `watch` again", train=loops.left_alone, notes={METRICS: "what is logged goes on"}),
    Setup(
        name="exceptions half-way",
        train=loops.failing,
        notes={ACTIVATIONS: "with what layers gave out before it broke"},
    ),
]


def groups() -> list[str]:
    """What each group holds, as docs/setups.md has it."""
    return [f"| {group} | {', '.join(f'`{name}`' for name in names)} |" for group, names in GROUPS.items()]


def table() -> list[str]:
    """The rows as docs/setups.md has them."""
    head = ["set-up", *GROUPS]
    rows = [[setup.name, *(setup.cell(group) for group in GROUPS)] for setup in SETUPS]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
