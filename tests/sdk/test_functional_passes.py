"""Calls of activations are heard in training passes of sampled steps, and the training is what it was."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from tests.sdk.conftest import Offline
from tests.sdk.functional_nets import (
    DEAD,
    ORIGINAL,
    ZEROS,
    Net,
    functions,
    left_alone,
    linear,
    of_layers,
    rows,
    told,
)


@pytest.fixture(autouse=True)
def functions_are_as_they_were() -> Iterator[None]:
    with left_alone():
        yield


def rectified() -> Net:
    return Net(lambda own, x: own.head(functional.relu(own.shut(x))), **linear())


def in_threads(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


class TestPasses:
    """Those count that count for layers."""

    def test_evaluation_is_left_out(self, offline: Offline) -> None:
        model, inputs = rectified(), rows()

        def losses() -> Tensor:
            loss = model(inputs).square().mean()
            model.eval()
            with torch.no_grad():
                model(inputs * 1e6)
                torch.relu(model.get_submodule("shut")(inputs * 1e6))
            model.train()
            return torch.as_tensor(loss)

        assert of_layers(told(offline, model, inputs, losses=losses), DEAD) == {"shut": 2 / 8}

    @pytest.mark.parametrize("reentrant", [True, False])
    def test_a_checkpoint_that_is_computed_again_counts_once(self, offline: Offline, reentrant: bool) -> None:
        signs = itertools.cycle([1, -1])

        def half(own: Any, x: Tensor) -> Tensor:  # computed again, it would have the units fire that do not
            return functional.relu(next(signs) * own.shut(x))

        def forward(own: Any, x: Tensor) -> Tensor:
            return torch.as_tensor(own.head(checkpoint(half, own, x, use_reentrant=reentrant)))

        model, inputs = Net(forward, **linear()), rows().requires_grad_()
        once = model.get_submodule("shut")(inputs).le(0).float().mean().item()
        stats = told(offline, model, inputs)
        assert of_layers(stats, DEAD) == {"shut": 2 / 8}
        assert of_layers(stats, ZEROS) == {"shut": pytest.approx(once, abs=0.02)}
        assert next(signs) == 1, "each was computed twice"

    def test_a_loss_that_rectifies_is_no_activation_of_the_last_layer(self, offline: Offline) -> None:
        model, inputs = rectified(), rows()
        stats = told(
            offline, model, inputs, losses=lambda: torch.relu(1e-9 * model(inputs) - 1).sum() + model(inputs).sum()
        )
        assert of_layers(stats, DEAD) == {"shut": 2 / 8}

    def test_models_that_are_called_by_other_means_are_seen(self, offline: Offline) -> None:
        model, inputs = rectified(), rows()
        stats = told(offline, model, inputs, losses=lambda: model.computed(model, inputs).sum())
        assert of_layers(stats, DEAD) == {"shut": 2 / 8}

    def test_what_other_threads_compute_is_theirs(self, offline: Offline) -> None:
        def forward(own: Any, x: Tensor) -> Tensor:
            hidden = own.shut(x)
            in_threads(lambda: torch.relu(torch.full((16, 8), -1.0)))
            return torch.as_tensor(own.head(functional.relu(hidden)))

        assert of_layers(told(offline, Net(forward, **linear()), rows()), DEAD) == {"shut": 2 / 8}

    def test_of_functional_transforms_nothing_is_kept(self, offline: Offline) -> None:
        model, inputs = rectified(), rows()

        def losses() -> Tensor:
            torch.func.vmap(lambda one: model.computed(model, one[None]))(inputs * 1e6)
            return torch.as_tensor(model(inputs).square().mean())

        assert of_layers(told(offline, model, inputs, losses=losses), DEAD) == {"shut": 2 / 8}


class TestTheTraining:
    def losses(self, run: Any, *, seed: int = 0) -> list[float]:
        torch.manual_seed(seed)

        def forward(own: Any, x: Tensor) -> Tensor:
            hidden = functional.relu(own.shut(x), inplace=True)
            return torch.sigmoid(own.head(functional.dropout(torch.tanh(own.hidden(hidden)), 0.3)))

        model = Net(forward, **linear())
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        if run is not None:
            run.watch(model, optimizer, every=2, dense=2)
        losses = []
        for _ in range(12):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(rows()).float().square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def test_has_the_same_losses_bit_for_bit(self, offline: Offline) -> None:
        bare = self.losses(None)
        run = offline.init()
        assert self.losses(run) == bare
        run.finish()

    def test_has_its_functions_replaced_within_sampled_passes_alone(self, offline: Offline) -> None:
        replaced: list[bool] = []

        def forward(own: Any, x: Tensor) -> Tensor:
            hidden = own.shut(x)
            replaced.append(functions() != ORIGINAL)
            return torch.as_tensor(own.head(torch.relu(hidden)))

        model = Net(forward, **linear())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer, every=2, dense=1)
        for _ in range(4):
            model(rows()).sum().backward()
            assert functions() == ORIGINAL
            optimizer.step()
        run.unwatch()
        model(rows())
        run.finish()
        assert replaced == [True, False, True, False, False]

    def test_has_its_functions_back_when_a_pass_fails(self, offline: Offline) -> None:
        def forward(own: Any, x: Tensor) -> Tensor:
            raise RuntimeError(str(own.shut(x).shape))

        model = Net(forward, **linear())
        run = offline.init()
        run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
        with pytest.raises(RuntimeError):
            model(rows())
        assert functions() == ORIGINAL
        run.finish()

    def test_keeps_what_others_put_in_the_place_of_a_function(self, offline: Offline, monkeypatch: Any) -> None:
        monkeypatch.setattr(torch, "relu", ORIGINAL[0])  # back again at the end
        theirs: list[Any] = []

        def forward(own: Any, x: Tensor) -> Tensor:
            hidden, before = own.shut(x), torch.relu
            if not theirs:
                theirs.append(lambda inputs: before(inputs) + 1)
                torch.relu = theirs[0]
            return torch.as_tensor(own.head(torch.relu(hidden)))

        model = Net(forward, **linear())
        run = offline.init()
        run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
        for _ in range(2):
            model(rows())
            assert torch.relu is theirs[0]
        run.finish()
        assert torch.equal(torch.relu(torch.ones(1)), torch.full((1,), 2.0))

    def test_is_not_reached_by_an_error_of_ours(self, offline: Offline, capfd: pytest.CaptureFixture[str]) -> None:
        class Forbidding(TorchFunctionMode):
            """Has nobody take a maximum, as we do and the training does not."""

            def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                if getattr(function, "__name__", "") == "amax":
                    raise ValueError("no maximum here")
                return function(*args, **(kwargs or {}))

        with Forbidding():
            told(offline, rectified(), rows())
        assert "watching met ValueError: no maximum here" in capfd.readouterr().err

    @pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
    def test_has_scripts_compiled_as_ever(self, offline: Offline) -> None:
        scripted: list[Any] = []

        def forward(own: Any, x: Tensor) -> Tensor:
            hidden = own.shut(x)
            if not scripted:
                scripted.append(torch.jit.script(Scripted()))
            return torch.as_tensor(own.head(scripted[0](hidden)))

        told(offline, Net(forward, **linear()), rows())
        assert scripted[0](torch.tensor([-1.0, 1.0])).tolist() == [0.0, pytest.approx(math.tanh(1.0))]


class Scripted(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.tanh(torch.relu(inputs))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of the compiler's own making
class TestCompiled:
    """With a backend that compiles nothing, but traces like any other."""

    @pytest.mark.parametrize("what", ["model", "part", "function"])
    def test_where_anything_is_compiled_no_function_is_replaced(self, offline: Offline, what: str) -> None:
        seen: list[bool] = []
        rectify: Any = functional.relu
        if what == "function":
            rectify = torch.compile(lambda x: torch.relu(x) + x.tanh(), backend="eager", fullgraph=True)

        def forward(own: Any, x: Tensor) -> Tensor:
            hidden = own.shut(x)
            if not torch.compiler.is_compiling():
                seen.append(functions() != ORIGINAL)
            return torch.as_tensor(own.head(rectify(own.hidden(hidden))))

        model = Net(forward, **linear())
        if what == "part":
            model.get_submodule("hidden").compile(backend="eager", fullgraph=True)
        called: Any = torch.compile(model, backend="eager", fullgraph=True) if what == "model" else model
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        run = offline.init()
        run.watch(called, optimizer, every=2, dense=1)
        torch._dynamo.utils.counters.clear()
        with torch._dynamo.config.patch(error_on_recompile=True):
            for _ in range(4):
                called(rows()).sum().backward()
                optimizer.step()
        run.finish()
        assert not any(seen)
        assert not torch._dynamo.utils.counters["graph_break"]
        assert DEAD not in offline.stats(0)
