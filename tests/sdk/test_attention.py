"""Largest logit and entropy of attention, each computed a second way from an explicit softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention as attend

import trainvitals
from trainvitals.wire import coding
from trainvitals.wire.messages import ModelInfo

STEPS = 6  # the sixth, at index 5, is looked at in depth
HEADS, LENGTH, WIDTH = 4, 8, 16  # of two examples: 64 rows, so that all are looked at


def spread(logits: Tensor, allowed: Tensor) -> tuple[float, float]:
    """Largest logit, and mean entropy as a share of the logarithm of the number of keys."""
    logits, allowed = torch.broadcast_tensors(logits.double(), allowed)
    shares = []
    for row, may in zip(logits.reshape(-1, logits.shape[-1]), allowed.reshape(-1, logits.shape[-1]), strict=True):
        weights = torch.softmax(row[may], dim=0)
        if len(weights) > 1:
            shares.append(-float((weights * weights.clamp(min=1e-300).log()).sum()) / math.log(len(weights)))
    return float(logits[allowed].max()), sum(shares) / len(shares)


def everything(queries: int = LENGTH, keys: int = LENGTH) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool)


class Block(nn.Module):
    """A pre-norm block, which owns no parameters itself and attends in its own forward."""

    def __init__(self, call: Callable[..., Tensor], *, key_heads: int = HEADS, imported: bool = False) -> None:
        super().__init__()
        size = WIDTH // HEADS
        self.norm = nn.LayerNorm(WIDTH)
        self.queries, self.keys = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * key_heads * size)
        self.key_heads, self.call = key_heads, call
        self.imported = imported

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.norm(inputs)
        queries = self.queries(hidden).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        keys, values = self.keys(hidden).unflatten(-1, (2 * self.key_heads, -1)).transpose(1, 2).chunk(2, dim=1)
        self.seen = queries.detach(), keys.detach()
        answer = self.call(queries, keys, values)
        return inputs + answer.transpose(1, 2).flatten(2)


def trained(
    offline: Any, model: nn.Module, inputs: Tensor, *, forward: Callable[[Tensor], Tensor] | None = None, **options: Any
) -> dict[str, dict[str, float]]:
    """Stats of the sixth step; the weights stay as they are."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run = offline.init()
    run.watch(model, optimizer, every=1, attention=True, **options)
    for _ in range(STEPS):
        (forward or model)(inputs).square().mean().backward()
        optimizer.step()
    run.finish()
    return dict(offline.stats(STEPS - 1))


def inputs() -> Tensor:
    torch.manual_seed(2)
    return torch.randn(2, LENGTH, WIDTH) * 3


def half_hidden() -> Tensor:
    torch.manual_seed(3)
    return torch.rand(2, 1, LENGTH, LENGTH) < 0.6


def biased() -> Tensor:
    torch.manual_seed(3)
    bias = torch.randn(HEADS, LENGTH, LENGTH)
    bias[:, :, 3] = -math.inf
    bias[:, :, 5] = torch.finfo(torch.float32).min
    return bias


class TestTheFunction:
    @pytest.mark.parametrize(
        ("call", "bias", "allowed"),
        [
            (lambda *qkv: functional.scaled_dot_product_attention(*qkv), None, everything()),
            (lambda *qkv: functional.scaled_dot_product_attention(*qkv, is_causal=True), None, everything().tril()),
            (lambda *qkv: attend(*qkv, dropout_p=0.5), None, everything()),
            (lambda *qkv: attend(*qkv, half_hidden()), None, half_hidden()),
            (lambda *qkv: attend(*qkv, attn_mask=biased()), biased(), biased() > -1e4),
        ],
        ids=["plain", "causal", "imported by name, with dropout", "boolean mask", "float mask"],
    )
    def test_is_what_an_explicit_softmax_has(
        self, offline: Any, call: Callable[..., Tensor], bias: Tensor | None, allowed: Tensor
    ) -> None:
        model = nn.Sequential(Block(call))
        stats = trained(offline, model, inputs())
        queries, keys = model[0].seen
        logits = queries @ keys.mT / math.sqrt(WIDTH // HEADS) + (0 if bias is None else bias)
        largest, entropy = spread(logits, allowed.expand(2, HEADS, LENGTH, LENGTH))
        assert stats["attention_logit_max"]["0"] == pytest.approx(largest, rel=1e-4)
        assert stats["attention_entropy"]["0"] == pytest.approx(entropy, rel=1e-4)
        assert math.isnan(stats["attention_entropy"]["0.queries"])

    def test_heads_that_share_keys_and_a_scale_of_ones_own(self, offline: Any) -> None:
        model = Block(lambda *qkv: attend(*qkv, scale=0.5, enable_gqa=True), key_heads=2)
        stats = trained(offline, nn.ModuleDict({"block": model}), inputs(), forward=model)
        queries, keys = model.seen
        largest, entropy = spread(0.5 * queries @ keys.repeat_interleave(2, dim=1).mT, everything())
        assert stats["attention_logit_max"]["block"] == pytest.approx(largest, rel=1e-4)
        assert stats["attention_entropy"]["block"] == pytest.approx(entropy, rel=1e-4)

    def test_alike_keys_are_looked_at_alike_and_one_loud_key_alone(self, offline: Any) -> None:
        class Alike(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(4, 4))

            def forward(self, inputs: Tensor) -> Tensor:
                return attend(inputs @ self.weight, inputs, inputs)

        class Loud(Alike):
            def forward(self, inputs: Tensor) -> Tensor:
                keys = torch.zeros_like(inputs)
                keys[..., 0, :] = 100.0
                return attend(torch.ones_like(inputs) + 0 * self.weight.sum(), keys, inputs)

        stats = trained(offline, nn.Sequential(Alike(), Loud()), torch.randn(2, 2, 8, 4))
        assert stats["attention_entropy"]["0"] == pytest.approx(1.0)
        assert stats["attention_entropy"]["1"] == pytest.approx(0.0, abs=1e-6)
        assert stats["attention_logit_max"]["1"] == pytest.approx(4 * 100 / 2)


class Attention(nn.Module):
    """``nn.MultiheadAttention`` with whatever it is to be called with."""

    def __init__(self, named: dict[str, Any], **options: Any) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, **options)
        self.named = named

    def forward(self, inputs: Tensor) -> Tensor:
        answer, self.weights = self.inner(inputs, inputs, inputs, **self.named)
        return torch.as_tensor(answer)


def shares_of(weights: Tensor, allowed: Tensor) -> float:
    """Mean entropy of weights as they came out of an attention."""
    weights = weights.detach().double()
    entropy = -torch.special.xlogy(weights, weights).sum(dim=-1)
    keys = allowed.expand_as(weights).sum(dim=-1)
    return float((entropy / keys.double().log())[keys > 1].mean())


CAUSAL = ~everything().tril()
PADDED = torch.tensor([[False] * 6 + [True] * 2, [False] * 8])


class TestTheModule:
    @pytest.mark.parametrize(
        ("named", "options", "allowed"),
        [
            ({}, {}, everything()),
            ({"attn_mask": CAUSAL}, {}, ~CAUSAL),
            ({"attn_mask": CAUSAL, "is_causal": True, "need_weights": False}, {}, ~CAUSAL),
            ({"key_padding_mask": PADDED}, {"bias": False}, ~PADDED[:, None, None, :]),
            ({"attn_mask": biased().repeat(2, 1, 1)}, {}, biased() > -1e4),
            ({}, {"add_bias_kv": True, "add_zero_attn": True}, everything(keys=LENGTH + 2)),
            ({}, {"kdim": WIDTH, "vdim": WIDTH}, everything()),
        ],
        ids=["plain", "causal", "causal without weights", "padding", "float mask", "added keys", "own projections"],
    )
    def test_entropy_is_that_of_the_weights_that_it_gives_out(
        self, offline: Any, named: dict[str, Any], options: dict[str, Any], allowed: Tensor
    ) -> None:
        torch.manual_seed(0)
        model = Attention(named, **options)
        stats = trained(offline, model, inputs())
        telling = {**named, "need_weights": True, "average_attn_weights": False}
        _, weights = model.inner(*[inputs()] * 3, **telling)
        assert weights.shape[:2] == (2, HEADS)
        assert stats["attention_entropy"]["inner"] == pytest.approx(shares_of(weights, allowed), rel=1e-4)

    def test_the_largest_logit_is_that_of_its_projections(self, offline: Any) -> None:
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, dim_feedforward=8, batch_first=True, norm_first=False)
        stats = trained(offline, layer, inputs())
        weight, bias = layer.self_attn.in_proj_weight.detach(), layer.self_attn.in_proj_bias.detach()
        queries, keys, _ = (
            functional.linear(inputs(), weight, bias).unflatten(-1, (3 * HEADS, -1)).transpose(1, 2).chunk(3, dim=1)
        )
        largest, entropy = spread(queries @ keys.mT / math.sqrt(WIDTH // HEADS), everything())
        assert stats["attention_logit_max"]["self_attn"] == pytest.approx(largest, rel=1e-4)
        assert stats["attention_entropy"]["self_attn"] == pytest.approx(entropy, rel=1e-4)

    def test_sequences_may_come_first_and_alone(self, offline: Any) -> None:
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, dim_feedforward=8, dropout=0.0)
        stats = trained(offline, layer, inputs()[0])
        _, weights = layer.self_attn(*[inputs()[0]] * 3, average_attn_weights=False)
        assert stats["attention_entropy"]["self_attn"] == pytest.approx(shares_of(weights, everything()), rel=1e-4)


class TestBounds:
    def test_of_large_attention_a_few_queries_stand_for_all(self, offline: Any) -> None:
        torch.manual_seed(0)

        class Large(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.scale = nn.Parameter(torch.ones(()))

            def forward(self, inputs: Tensor) -> Tensor:
                return attend(inputs * self.scale, inputs.roll(1, 0), inputs, is_causal=True)

        many = torch.randn(8, 12, 256, 32)
        stats = trained(offline, nn.Sequential(Large()), many)
        logits = (many @ many.roll(1, 0).mT / math.sqrt(32))[:2, :3]
        largest, entropy = spread(logits, everything(256, 256).tril())
        assert stats["attention_entropy"]["0"] == pytest.approx(entropy, rel=0.05)
        assert 0.5 * largest < stats["attention_logit_max"]["0"] < 1.5 * largest

    def test_micro_batches_count_together(self, offline: Any) -> None:
        model = nn.Sequential(Block(lambda *qkv: attend(*qkv)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        run = offline.init()
        run.watch(model, optimizer, attention=True)
        expected = []
        for scale in (1.0, 2.0):
            model(inputs().roll(int(scale), dims=-1) * scale).sum().backward()
            queries, keys = model[0].seen
            expected.append(spread(queries @ keys.mT / math.sqrt(WIDTH // HEADS), everything()))
        optimizer.step()
        run.finish()
        stats = offline.stats(0)
        assert stats["attention_logit_max"]["0"] == pytest.approx(max(largest for largest, _ in expected), rel=1e-4)
        assert stats["attention_entropy"]["0"] == pytest.approx(sum(share for _, share in expected) / 2, rel=1e-4)


class TestTheTraining:
    def losses(self, run: Any, **options: Any) -> list[float]:
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, dim_feedforward=8, batch_first=True)
        model = nn.Sequential(layer, Block(lambda *qkv: attend(*qkv, dropout_p=0.1)))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        if run is not None:
            run.watch(model, optimizer, every=1, **options)
        losses = []
        for _ in range(12):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(inputs()).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def test_has_the_same_losses_bit_for_bit_under_autocast_and_dropout(self, offline: Any) -> None:
        bare = self.losses(None)
        run = offline.init()
        assert self.losses(run, attention=True) == bare
        run.finish()
        assert 0 < offline.stats(10)["attention_entropy"]["0.self_attn"] < 1
        assert 0 < offline.stats(10)["attention_entropy"]["1"] < 1

    def test_is_told_nothing_of_attention_unless_it_asks(self, offline: Any) -> None:
        function = functional.scaled_dot_product_attention
        run = offline.init()
        self.losses(run)
        assert functional.scaled_dot_product_attention is function
        run.finish()
        assert "attention_entropy" not in offline.stats(10)

    def test_has_its_functions_back_when_watching_ends(self, offline: Any) -> None:
        function = functional.scaled_dot_product_attention
        run = offline.init()
        model = nn.Sequential(Block(lambda *qkv: attend(*qkv)))
        run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), attention=True)
        assert functional.scaled_dot_product_attention is not function
        run.finish()
        assert functional.scaled_dot_product_attention is attend is function
        assert not model[0]._forward_hooks
        assert not model[0]._forward_pre_hooks

    def test_evaluation_and_what_is_excluded_are_left_out(self, offline: Any) -> None:
        model = nn.Sequential(Block(lambda *qkv: attend(*qkv)), Block(lambda *qkv: attend(*qkv)))

        def forward(batch: Tensor) -> Tensor:
            model.eval()
            with torch.no_grad():
                model(batch * 1000)
            return torch.as_tensor(model.train()(batch))

        stats = trained(offline, model, inputs(), forward=forward, exclude=["1"])
        queries, keys = model[0].seen
        assert stats["attention_logit_max"]["0"] == pytest.approx(float((queries @ keys.mT).max()) / 2, rel=1e-4)
        assert "1" not in stats["attention_logit_max"]

    def test_a_failing_attention_reaches_it_as_it_is(self, offline: Any) -> None:
        model = nn.Sequential(Block(lambda queries, keys, values: attend(queries, keys[:, :, :, :1], values)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = offline.init()
        run.watch(model, optimizer, attention=True)
        with pytest.raises(RuntimeError):
            model(inputs())
        run.finish()

    def test_what_attends_is_described_with_the_layers(self, offline: Any) -> None:
        trained(offline, nn.Sequential(Block(lambda *qkv: attend(*qkv))), inputs())
        described = [record.payload for record in offline.records if record.kind == "model"]
        layers = coding.decode(described[-1], ModelInfo).layers
        assert [layer.name for layer in layers] == ["0.norm", "0.queries", "0.keys", "0"]
        assert layers[-1].kind == "Block"


class Same(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(inputs, inputs, inputs)


@pytest.mark.slow
class TestCompiled:
    @pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # dynamo looks at it
    def test_a_part_that_is_compiled_has_no_graph_breaks_and_is_named(self, offline: Any, capfd: Any) -> None:
        whole = Block(lambda *qkv: attend(*qkv))
        compiled = torch.compile(nn.Sequential(nn.Linear(WIDTH, WIDTH), Same()), backend="aot_eager", fullgraph=True)
        stats = trained(offline, nn.Sequential(whole, compiled), inputs())
        assert stats["attention_entropy"]["0"] > 0
        assert [name for name, share in stats["attention_entropy"].items() if not math.isnan(share)] == ["0"]
        assert "attention within what is compiled is not seen: 1" in capfd.readouterr().err

    def test_a_compiled_model_is_told_to_have_no_attention_stats(self, offline: Any, capfd: Any) -> None:
        model = Block(lambda *qkv: functional.scaled_dot_product_attention(*qkv))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        compiled = torch.compile(model, backend="eager")
        run = offline.init()
        run.watch(compiled, optimizer, attention=True)
        compiled(inputs()).sum().backward()
        optimizer.step()
        run.finish()
        assert "attention stats are left out" in capfd.readouterr().err
        assert "attention_entropy" not in offline.stats(0)

    @pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
    def test_scripts_compile_while_it_listens(self, offline: Any) -> None:
        model = nn.Sequential(Block(lambda *qkv: attend(*qkv)))
        run = offline.init()
        run.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), attention=True)
        assert torch.jit.script(Same())(torch.ones(1, 1, 2, 2)).shape == (1, 1, 2, 2)
        run.finish()


def test_where_no_attention_is_seen_people_are_told(offline: Any, capfd: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = offline.init()
    trainvitals.watch(model, optimizer, every=1, attention=True)
    for _ in range(12):
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    run.finish()
    assert "no attention was seen" in capfd.readouterr().err
