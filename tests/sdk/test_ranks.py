"""Processes that train together: one run, of which rank 0 tells the layers, and every rank what is its own."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import trainvitals
from tests.sdk.conftest import histograms_at, metric_points, stats_at
from tests.sdk.distributed_training import BATCH, DEAD, LARGE, MORE_OF_EACH, STEPS, WAYS, WIDTH, network
from tests.sdk.plain_histograms import parts
from tests.sdk.several_ranks import Trained, by_rank, frames, metrics, python, train_both
from tests.sdk.small_models import CLOSE
from trainvitals.wire import coding
from trainvitals.wire.messages import RunEnd, RunStart

OF_THE_OUTPUTS = ("activation_mean", "activation_std", "activation_max", "zero_fraction", "saturated_fraction")
TIMES = {f"seconds/{phase}" for phase in ("step", "data", "forward", "backward", "optimizer")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """trained(how), each of them once."""
    return functools.cache(lambda how: train_both(how, tmp_path_factory.mktemp(how)))


def outputs_of_rank_0(how: str) -> list[dict[str, Tensor]]:
    """By step and layer, from hooks in one process that takes the steps that all take together."""
    model = network(how)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batches = torch.Generator().manual_seed(1)
    found: list[dict[str, Tensor]] = []
    for _ in range(STEPS):
        batch = torch.randn(BATCH, 4, generator=batches)
        found.append({})
        handles = [
            layer.register_forward_hook(
                lambda _, __, output, name=name: found[-1].update({name: part_of_rank_0(how, name, output.detach())})
            )
            for name, layer in model.named_children()
        ]
        model(batch)
        for handle in handles:
            handle.remove()
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
    return found


def part_of_rank_0(how: str, layer: str, output: Tensor) -> Tensor:
    """Its rows of the batch; where a layer is shared by columns, its columns of all."""
    if how != "tensor":
        return output.chunk(WAYS[how][0])[0]
    return output.chunk(2, dim=1)[0] if layer in ("0", "1") else output


def of_outputs(output: Tensor, *, saturates: bool) -> dict[str, float]:
    size = output.abs()
    return {
        "activation_mean": float(output.mean()),
        "activation_std": float(output.std(correction=0)),
        "activation_max": float(size.max()),
        "zero_fraction": float((output == 0).float().mean()),
        "saturated_fraction": float((size > 0.97).float().mean()) if saturates else math.nan,
    }


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ddp", "fsdp", "hybrid", "tensor", "recomputed"])
def test_rank_0_tells_of_outputs_what_hooks_see_of_its_share(trained: Callable[[str], Trained], how: str) -> None:
    kept, expected = frames(trained(how).several[0]), outputs_of_rank_0(how)
    for step, outputs in enumerate(expected):
        found = stats_at(kept, step)
        for layer, output in outputs.items():
            ours = {stat: found[stat][layer] for stat in OF_THE_OUTPUTS}
            theirs = of_outputs(output, saturates=layer == "1")
            assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6, nan_ok=True), (step, layer)
    for layer, output in expected[0].items():
        cells = histograms_at(kept, 0)["activations"][layer]
        assert cells.tolist() == pytest.approx(parts(output), abs=1), layer


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ddp", "fsdp", "hybrid", "tensor", "unsynced", "recomputed"])
def test_rank_0_tells_of_layers_what_one_process_would(trained: Callable[[str], Trained], how: str) -> None:
    assert "sharded" not in trained(how).said
    one, several = trained(how).one, trained(how).several
    for step in (0, 1, 5):
        expected, found = stats_at(one, step), stats_at(frames(several[0]), step)
        assert found.keys() == expected.keys()
        for stat in expected.keys() - set(OF_THE_OUTPUTS):
            assert found[stat] == pytest.approx(expected[stat], rel=1e-3, abs=1e-7, nan_ok=True), (step, stat)
    expected, found = histograms_at(one, 0), histograms_at(frames(several[0]), 0)
    assert found.keys() == expected.keys()
    for kind in ("weights", "gradients"):
        for layer, cells in expected[kind].items():
            assert found[kind][layer].tolist() == pytest.approx(cells.tolist(), abs=1), (kind, layer)
    assert not any(frame.histograms for rank in several if rank for frame in frames(several[rank]))
    expected_norms = [norm for _, norm in metric_points(one, "grad_norm")]
    assert [norm for _, norm in metric_points(frames(several[0]), "grad_norm")] == pytest.approx(
        expected_norms, rel=CLOSE
    )


FROM_FEW = 0.03  # what is promised, three times over: of norms of updates, and of shares
OF_ALL_VALUES = {"grad_norm", "grad_max", "activation_max"}


def close(stat: str, layer: str, stats: dict[str, dict[str, float]]) -> Any:
    """What another process may tell of a layer whose values it looks at elsewhere."""
    told = stats[stat][layer]
    if layer != LARGE or stat in OF_ALL_VALUES:
        return pytest.approx(told, rel=1e-3, abs=1e-7, nan_ok=True)
    if stat == "grad_mean":
        deviation = stats["grad_norm"][layer] / WIDTH
        return pytest.approx(told, abs=FROM_FEW * deviation)
    return pytest.approx(told, rel=FROM_FEW, abs=FROM_FEW if stat.endswith("_fraction") else 1e-7, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["large", "late"])
def test_rank_0_tells_of_norms_rectifiers_large_and_accumulated_gradients_what_one_process_would(
    trained: Callable[[str], Trained], how: str
) -> None:
    assert "sharded" not in trained(how).said
    one, several = trained(how).one, frames(trained(how).several[0])
    for step in range(STEPS):
        expected, found = stats_at(one, step), stats_at(several, step)
        assert found.keys() == expected.keys()
        for stat, layers in expected.items():
            for layer in layers:
                assert found[stat][layer] == close(stat, layer, expected), (step, stat, layer)
    last = stats_at(several, STEPS - 1)
    assert last["running_drift"]["1"] > 0.1
    assert last["running_variance_drift"]["1"] > 0.1
    assert last["dead_fraction"]["4"] >= DEAD / WIDTH
    norms, of_one = (metric_points(found, "grad_norm") for found in (several, one))
    assert norms == [(step, pytest.approx(norm, rel=CLOSE)) for step, norm in of_one]
    assert len(norms) == STEPS
    expected_cells, cells = histograms_at(one, 0), histograms_at(several, 0)
    for kind, of_layers in expected_cells.items():
        for layer in of_layers.keys() - {LARGE}:
            assert cells[kind][layer].tolist() == pytest.approx(of_layers[layer].tolist(), abs=1), (kind, layer)


@pytest.mark.slow
@pytest.mark.parametrize("how", sorted(WAYS.keys() - {"scaled", "mixed", "compiled"}))
def test_every_rank_s_losses_are_bit_identical_with_and_without_watching(
    trained: Callable[[str], Trained], how: str
) -> None:
    of_all = trained(how)
    assert len(of_all.several) == WAYS[how][0]
    for rank, losses in of_all.unwatched.items():
        assert metric_points(frames(of_all.several[rank]), "loss") == list(enumerate(losses))
        assert len(set(losses)) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_all_ranks_are_one_run_and_each_tells_what_is_its_own(trained: Callable[[str], Trained], how: str) -> None:
    several = trained(how).several
    starts = [coding.decode(records[0].payload, RunStart) for records in several.values()]
    assert [(start.rank, start.ranks) for start in starts] == [(0, 2), (1, 2)]
    assert starts[0].name == starts[1].name
    assert starts[0].started_at == starts[1].started_at
    ends = [coding.decode(records[-1].payload, RunEnd) for records in several.values()]
    assert [(end.rank, end.status) for end in ends] == [(0, "finished"), (1, "finished")]
    own = {rank: frames(records) for rank, records in several.items()}
    assert len({frame.run_id for found in own.values() for frame in found}) == 1
    assert len({frame.writer for found in own.values() for frame in found}) == 2
    assert {frame.rank for frame in own[1]} == {1}
    assert any(frame.layer_stats for frame in own[0])
    assert not any(frame.layer_stats for frame in own[1])
    assert "model" not in {record.kind for record in several[1]}
    for found in own.values():
        assert metrics(found) >= {"loss", "lr", "elapsed_seconds", "overhead_fraction", *TIMES}
        assert [step for step, _ in metric_points(found, "loss")] == list(range(6))
    assert metric_points(own[0], "loss") != metric_points(own[1], "loss")
    if how == "ddp":
        norms = [[norm for _, norm in metric_points(found, "grad_norm")] for found in own.values()]
        assert norms[0] == pytest.approx(norms[1], rel=CLOSE)


@pytest.mark.slow
def test_every_rank_tells_the_memory_that_it_holds_itself(trained: Callable[[str], Trained]) -> None:
    held: dict[int, float] = {}
    for rank, records in trained("fsdp").several.items():
        (_, most), *_ = metric_points(frames(records), "system/memory_bytes")
        assert {frame.rank for frame in frames(records)} == {rank}
        held[rank] = most
    assert held[1] - held[0] > MORE_OF_EACH / 2


@pytest.mark.slow
def test_the_noise_scale_is_told_by_a_process_alone_and_not_by_ranks_that_average(
    trained: Callable[[str], Trained],
) -> None:
    one, several = trained("accumulating").one, trained("accumulating").several
    assert metric_points(one, "gradient_noise_scale")
    norms = metric_points(one, "grad_norm")
    for records in several.values():
        assert "gradient_noise_scale" not in metrics(frames(records))
        assert metric_points(frames(records), "grad_norm") == [
            (step, pytest.approx(norm, rel=CLOSE)) for step, norm in norms
        ]


@pytest.mark.slow
def test_every_rank_counts_sparse_gradients_in_its_norm(trained: Callable[[str], Trained]) -> None:
    one, several = trained("sparse").one, trained("sparse").several
    expected = [(step, pytest.approx(norm, rel=CLOSE)) for step, norm in metric_points(one, "grad_norm")]
    assert len(expected) == STEPS
    for records in several.values():
        assert metric_points(frames(records), "grad_norm") == expected


@pytest.mark.slow
def test_norms_before_clipping_of_sharded_gradients_are_left_out_and_that_is_said_once(
    trained: Callable[[str], Trained],
) -> None:
    assert trained("clipping").said.count("gradients that are clipped are sharded") == 1
    one, several = trained("clipping").one, trained("clipping").several
    of_clipping = {"grad_norm_before_clipping", "clipped_fraction"}
    assert metrics(one) >= of_clipping
    assert metrics(frames(several[0])).isdisjoint(of_clipping)
    assert [norm for _, norm in metric_points(frames(several[0]), "grad_norm")] == pytest.approx([1e-3] * 6, rel=0.01)


@pytest.mark.slow
def test_sharded_ranks_sample_the_same_steps_by_the_budget(tmp_path: Path) -> None:
    said = python("-m", "tests.sdk.sharded_training", tmp_path, "every rank")
    assert "come" not in said
    steps: dict[str, set[int]] = defaultdict(set)
    for frame in frames(by_rank(tmp_path)[0]):
        if frame.layer_stats is not None:
            for part in frame.layer_stats.sections:
                steps[part.stat].update(frame.layer_stats.steps)
    assert steps["activation_mean"] >= set(range(10))
    assert steps["grad_norm"] == steps["activation_mean"] == steps["update_ratio"]
    later = sorted(step for step in steps["grad_norm"] if step >= 300)
    assert len(later) < 30  # fewer than every tenth, for steps are as short here as snapshots


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fsdp1", "fsdp1-original"])
def test_of_fsdp1_outputs_and_losses_are_told_and_that_nothing_else_is_is_said_once(
    trained: Callable[[str], Trained], how: str
) -> None:
    of_all = trained(how)
    assert of_all.said.count("FSDP1") == 1
    for rank, records in of_all.several.items():
        assert "grad_norm" not in metrics(frames(records)), rank
        assert metrics(frames(records)) >= {"loss", *TIMES}
        assert not any(frame.layer_stats for frame in frames(records)) or not rank
    outputs = outputs_of_rank_0("fsdp")
    for step in (0, 1, 5):
        found = stats_at(frames(of_all.several[0]), step)
        assert {stat for stat in found if stat.startswith(("grad", "weight", "update", "second", "adam"))} == set()
        means = {name.replace("_fsdp_wrapped_module.", ""): mean for name, mean in found["activation_mean"].items()}
        expected = {name: float(output.mean()) for name, output in outputs[step].items()}
        assert {name.removesuffix("._fsdp_wrapped_module"): mean for name, mean in means.items()} == pytest.approx(
            expected, rel=1e-3, abs=1e-6
        )


@pytest.mark.slow
def test_a_rank_that_does_not_watch_is_missed_once_and_nothing_false_is_told(tmp_path: Path) -> None:
    said = python("-m", "tests.sdk.sharded_training", tmp_path, "rank 0 alone")
    assert said.count("not every rank watches this model") == 1
    found = frames(by_rank(tmp_path)[0])
    seen = stats_at(found, 0).keys()
    assert "activation_mean" in seen
    assert seen.isdisjoint({"grad_norm", "weight_norm", "update_ratio", "grad_mean", "init_distance", "adam_rms"})
    assert histograms_at(found, 0).keys() == {"activations"}
    assert not metric_points(found, "grad_norm")
    assert len(metric_points(found, "loss")) == 400


@pytest.mark.slow
def test_torchrun_makes_one_run_of_processes_that_have_not_met_yet(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, trainvitals as tv\n"
        "run = tv.init(mode='offline', directory=sys.argv[1])\n"
        "run.log({'loss': 1.0 + run.rank})\n"
        "run.finish()\n"
    )
    python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3", script, tmp_path / "runs")
    several = by_rank(tmp_path / "runs")
    assert [metric_points(frames(records), "loss")[0][1] for records in several.values()] == [1.0, 2.0, 3.0]
    assert len({path.name.partition(".")[0] for path in tmp_path.rglob("*.spool")}) == 1


@pytest.mark.slow
def test_an_unmodified_script_is_one_run_under_torchrun(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\n"
        "from torch import distributed, nn\n"
        "distributed.init_process_group('gloo')\n"
        "model = nn.parallel.DistributedDataParallel(nn.Linear(4, 1))\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for _ in range(8):\n"
        "    optimizer.zero_grad()\n"
        "    nn.functional.mse_loss(model(torch.randn(8, 4)), torch.zeros(8, 1)).backward()\n"
        "    optimizer.step()\n"
        "distributed.destroy_process_group()\n"
    )
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "trainvitals", "run")
    python(*launcher, script, TRAINVITALS_MODE="offline", TRAINVITALS_DIR=str(tmp_path / "runs"))
    several = by_rank(tmp_path / "runs")
    assert list(several) == [0, 1]
    for records in several.values():
        assert len(metric_points(frames(records), "loss")) == 8
        assert len(metric_points(frames(records), "grad_norm")) == 8


def test_a_rank_that_cannot_learn_the_run_records_nothing_and_says_what_to_do(
    offline: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run = trainvitals.init(mode="offline", directory=tmp_path / "none")
    run.log({"loss": math.pi})
    run.finish()
    assert "rank 1: this rank cannot learn which run is rank 0's" in capsys.readouterr().err
    assert not list((tmp_path / "none").rglob("*.spool"))
