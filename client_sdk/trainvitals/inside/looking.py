"""Looks at the probe as the training goes on: between two of its steps, bounded, and without a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from trainvitals.collector.device_clock import is_capturing
from trainvitals.collector.dtensors import flattened, is_sharded
from trainvitals.inside.gradients import Slopes
from trainvitals.inside.pacing import Pacing
from trainvitals.inside.probe import Probe, fitted, moved
from trainvitals.inside.seeing import Sight, filters, first_real, of_input
from trainvitals.inside.sketches import Sketch, Subject, fetched, spread
from trainvitals.inside.undisturbed import undisturbed
from trainvitals.wire import coding
from trainvitals.wire.looks import ALL, LayerPictures, Look, Picture, PictureKind, packed

MAX_BYTES: Final = 900_000  # of a look, before it is packed: less than what proxies take by default
MOST_FAILURES: Final = 3  # in a row
OF_EXAMPLES: Final[tuple[PictureKind, ...]] = ("attention", "activation")  # large, and left out first
SHARDED: Final = "probe(): the model's parameters are sharded over ranks, so that nothing is looked at inside it"

SCRIPTED: Final = "probe(): the model is made of TorchScript, in which nothing can be looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A look on its way: raw pictures by layer, in the model's order."""

    step: int
    examples: int
    pictures: Mapping[str, Sequence[Picture]]

    @property
    def size(self) -> int:
        """Bytes, before packing."""
        return sum(one.size for pictures in self.pictures.values() for one in pictures)

    def encoded(self) -> bytes:
        """As a message; packing is for another thread."""
        layers = [
            LayerPictures(layer=name, pictures=[packed(one) for one in pictures])
            for name, pictures in self.pictures.items()
        ]
        return coding.encode(Look(step=self.step, examples=self.examples, layers=layers))


class Looking:
    """A probe, and the model that it is shown to. Nothing here raises: what goes wrong is told once."""

    def __init__(
        self, probe: Probe, pacing: Pacing, *, hand_over: Callable[[Taken], None], tell: Callable[[str], None]
    ) -> None:
        self._probe = probe
        self._pacing = pacing
        self._hand_over = hand_over
        self._tell = tell
        self._failures = 0
        self._model: nn.Module | None = None
        self._layers: dict[str, nn.Module] = {}
        self._paths: dict[str, nn.Module] = {}

    @property
    def looks(self) -> int:
        """How many were taken."""
        return self._pacing.looks

    def follow(self, model: nn.Module, layers: Mapping[str, nn.Module], paths: Mapping[str, nn.Module]) -> None:
        """Show the probe to this model from now on. ``layers``: name → module; ``paths``: of all its modules."""
        if bool(flattened([model])) or any(is_sharded(one) for one in model.parameters()):
            self._tell(SHARDED)
            return
        if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
            self._tell(SCRIPTED)
            return
        within = {id(module) for module in model.modules()}
        self._layers = {name: module for name, module in layers.items() if id(module) in within}
        self._paths = {name: module for name, module in paths.items() if id(module) in within}
        self._model = model

    def let_go(self) -> None:
        """Hold no model."""
        self._model, self._layers, self._paths = None, {}, {}

    def step_ended(self, step: int) -> float:
        """Look, if it is time to; the seconds that it took."""
        model = self._model
        if model is None or self._failures >= MOST_FAILURES or not self._pacing.is_due(step) or is_capturing():
            return 0.0
        started = time.perf_counter()
        try:
            found = self._look(model)
            if found:
                self._hand_over(Taken(step=step, examples=self._probe.examples, pictures=found))
            self._failures = 0
        except Exception as error:  # noqa: BLE001  # the border: no error of ours may reach the training
            self._failures += 1
            self._fail("this model cannot be shown the probe", error)
        seconds = time.perf_counter() - started
        self._pacing.looked(step, seconds=seconds)
        return seconds

    def _look(self, model: nn.Module) -> dict[str, list[Picture]]:
        probe = fitted(self._probe, model)
        batch = moved(probe.batch, model)
        sight = Sight(self._layers, examples=probe.examples)
        slopes = Slopes(self._layers, examples=probe.examples)
        with undisturbed(model, warily=self.looks == 0 or self._failures > 0):
            with torch.no_grad():
                shown = first_real(batch)
                own = (
                    [] if shown is None else of_input(shown, Subject(layer="", kind="input", shape=tuple(shown.shape)))
                )
                own += filters(self._layers)
            sight.look(model, moved(probe.batch, model), paths=self._paths)
            try:
                own += slopes.look(model, batch, probe.targets)
            except Exception as error:  # noqa: BLE001  # not all that can be passed has gradients
                self._fail("saliency and class-activation maps are left out", error)
        sketches = bounded([*own, *(one for name in self._paths for one in sight.found.get(name, ()))])
        found: dict[str, list[Picture]] = {name: [] for name in ("", *self._paths)}
        for sketch, picture in zip(sketches, fetched(sketches), strict=True):
            found[sketch.layer].append(picture)
        return {name: pictures for name, pictures in found.items() if pictures}

    def _fail(self, what: str, error: Exception) -> None:
        self._tell(f"probe(): {what} ({type(error).__name__}: {error}); the training goes on")


def bounded(sketches: Sequence[Sketch], *, max_bytes: int = MAX_BYTES) -> list[Sketch]:
    """What there is room for: of attention and activations first fewer examples, then fewer layers."""
    small, left = [], max_bytes
    for sketch in (one for one in sketches if one.kind not in OF_EXAMPLES):
        if sketch.places.numel() <= left:
            small.append(sketch)
            left -= sketch.places.numel()
    large = [one for one in sketches if one.kind in OF_EXAMPLES]
    examples = max((one.example for one in large), default=ALL) + 1
    while _size(large) > left and examples > 1:
        examples -= 1
        large = [one for one in large if one.example < examples]
    names = list(dict.fromkeys(one.layer for one in large))
    while _size(large) > left and names:
        most = min(len(names) - 1, len(names) * left // _size(large))
        names = [names[place] for place in spread(len(names), most)] if most > 1 else names[: max(0, most)]
        large = [one for one in large if one.layer in names]
    return [*small, *large]


def _size(sketches: Iterable[Sketch]) -> int:
    return sum(one.places.numel() for one in sketches)
