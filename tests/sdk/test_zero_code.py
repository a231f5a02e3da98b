"""`trainvitals run` watches a training whose script does not know of it, and which does not notice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.sdk.conftest import records
from tests.sdk.scripts import Recorded, python, recorded

pytestmark = pytest.mark.slow

HEAD = """
import sys
import torch
from torch import nn
from torch.nn.functional import cross_entropy

torch.manual_seed(0)

def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

def batch():
    return torch.randn(8, 4), torch.randint(0, 2, (8,))
"""

PLAIN = """
import argparse

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("-m", "--momentum", type=float, default=0.0)
    options = parser.parse_args()
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=options.momentum)
    for _ in range(options.steps):
        inputs, labels = batch()
        loss = cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item())

if __name__ == "__main__":
    main()
"""


def written(folder: Path, body: str, *, name: str = "train.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + body)
    return path


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "trainvitals", "run", *arguments, folder=folder)


def watched(folder: Path, body: str) -> Recorded:
    done = run(folder, written(folder, body))
    assert done.returncode == 0, done.stderr
    return recorded(folder)


def test_an_unmodified_script_is_watched_and_trains_as_without(tmp_path: Path) -> None:
    script = written(tmp_path, PLAIN)
    bare = python(script, "--steps", "20", "-m", "0.9", folder=tmp_path)
    words = ["--project", "unseen", "--name", "first", "--every", "1"]
    done = run(tmp_path, *words, script, "--steps", "20", "-m", "0.9")

    assert (done.returncode, done.stdout) == (0, bare.stdout)
    losses = [float(line) for line in bare.stdout.split()]
    found = recorded(tmp_path)
    assert (found.start.project, found.start.name, found.end.status) == ("unseen", "first", "finished")
    assert found.points("loss") == [(step, pytest.approx(loss)) for step, loss in enumerate(losses)]
    assert [step for step, _ in found.points("lr")] == list(range(20))
    assert found.layers == ["0", "1", "2"]
    assert found.stats(3)["activation_std"]["1"] > 0
    assert found.start.environment["command"] == [str(script), "--steps", "20", "-m", "0.9"]


def test_a_module_of_a_package_is_run_as_python_runs_it(tmp_path: Path) -> None:
    written(tmp_path, PLAIN, name="project/training/helper.py")
    (tmp_path / "project/__init__.py").write_text("")
    (tmp_path / "project/training/__init__.py").write_text("")
    (tmp_path / "project/training/__main__.py").write_text("from .helper import main\nmain()\n")
    for module in ("project.training", "project.training.helper"):
        bare = python("-m", module, "--steps", "4", folder=tmp_path)
        done = run(tmp_path, "--mode", "disabled", "-m", module, "--steps", "4")
        assert (done.returncode, done.stdout) == (0, bare.stdout), done.stderr


LOOKS_AROUND = """
import os, pickle
class Mine: pass
assert type(pickle.loads(pickle.dumps(Mine()))) is Mine
print(sys.argv, sys.path[0], __file__, __name__, __package__, __spec__ if __spec__ is None else __spec__.name)
print(*(name for name in globals() if name.startswith("__")))
"""


@pytest.mark.parametrize("target", [["scripts/train.py"], ["-m", "scripts.train"]])
def test_a_script_sees_the_world_that_python_would_show_it(tmp_path: Path, target: list[str]) -> None:
    written(tmp_path, LOOKS_AROUND, name="scripts/train.py")
    bare, done = python(*target, "--flag", folder=tmp_path), run(tmp_path, *target, "--flag")

    def shown(answer: subprocess.CompletedProcess[str]) -> tuple[str, set[str]]:
        first, names = answer.stdout.splitlines()
        return first, set(names.split()) - {"__annotations__", "__cached__"}  # which Python itself has not always

    assert shown(done) == shown(bare), done.stderr


RAISES = PLAIN.replace("        print(loss.item())", "    raise ValueError('out of data')")


def test_an_error_ends_the_run_and_is_shown_as_python_shows_it(tmp_path: Path) -> None:
    script = written(tmp_path, RAISES)
    bare, done = python(script, folder=tmp_path), run(tmp_path, script)

    ours = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("trainvitals: ")]
    assert (done.returncode, "".join(ours)) == (bare.returncode, bare.stderr)
    assert (recorded(tmp_path).end.status, recorded(tmp_path).end.error) == ("failed", "ValueError: out of data")


@pytest.mark.parametrize(("ending", "status"), [("sys.exit(3)", 3), ("sys.exit('no more')", 1), ("sys.exit()", 0)])
def test_the_exit_status_is_the_script_s(tmp_path: Path, ending: str, status: int) -> None:
    done = run(tmp_path, written(tmp_path, PLAIN + f"    {ending}\n"))
    assert done.returncode == status
    assert recorded(tmp_path).end.status == ("failed" if status else "finished")


def test_a_script_that_cannot_be_compiled_is_told_of_by_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = (\n")
    bare, done = python("broken.py", folder=tmp_path), run(tmp_path, "broken.py")
    assert (done.returncode, "SyntaxError" in done.stderr) == (bare.returncode, True)
    assert "scripts.py" not in done.stderr


@pytest.mark.parametrize(("option", "value"), [("--every", "0"), ("--budget", "2")])
def test_a_setting_that_makes_no_sense_is_refused_before_the_script_runs(
    tmp_path: Path, option: str, value: str
) -> None:
    done = run(tmp_path, option, value, "nothing.py")
    assert (done.returncode, f"TRAINVITALS_{option[2:].upper()}" in done.stderr) == (2, True)


def test_how_often_it_is_sampled_can_be_said_for_a_script_that_does_not_say_it(tmp_path: Path) -> None:
    (tmp_path / "asks.py").write_text(
        "import trainvitals as tv\nwith tv.init() as run:\n    print(run.settings.budget, run.settings.every)\n"
    )
    assert run(tmp_path, "--budget", "0.1", "asks.py").stdout == "0.1 None\n"
    assert run(tmp_path, "--every", "7", "asks.py").stdout == "0.02 7\n"


def test_what_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    for target, status in ((["nothing.py"], 2), (["-m", "nothing.at_all"], 1), ([], 2)):
        done = run(tmp_path, *target)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr


def test_a_script_that_trains_nothing_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("import sys\nprint('torch' in sys.modules)\n")
    done = run(tmp_path, "plain.py")
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert "no optimizer took a step" in done.stderr
    assert not (tmp_path / "spool").exists()


WATCHES_ITSELF = """
import trainvitals as tv
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with tv.init(project="its own") as mine:
    mine.watch(model, optimizer)
    for _ in range(5):
        inputs, labels = batch()
        cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        mine.log({"error": 1.0})
"""


def test_a_script_that_watches_itself_has_its_way(tmp_path: Path) -> None:
    found = watched(tmp_path, WATCHES_ITSELF)
    assert found.start.project == "its own"
    assert "loss" not in found.metrics
    assert len(found.points("error")) == 5


GAN = """
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
    def forward(self, x):
        return self.body(x)

class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 1)
    def forward(self, x):
        return self.body(x)

generator, critic = Generator(), Critic()
of_generator = torch.optim.Adam(generator.parameters(), lr=0.01)
of_critic = torch.optim.SGD(critic.parameters(), lr=0.02)
for step in range(10):
    real, noise = torch.randn(8, 4), torch.randn(8, 4)
    of_critic.zero_grad()
    (critic(generator(noise).detach()).mean() - critic(real).mean()).backward()
    of_critic.step()
    of_generator.zero_grad()
    (-critic(generator(noise)).mean()).backward()
    of_generator.step()
"""


def test_two_networks_with_an_optimizer_each_are_watched_together(tmp_path: Path) -> None:
    found = watched(tmp_path, GAN)
    assert found.layers == ["Generator.body", "Critic.body"]
    assert [optimizer.kind for optimizer in found.model.optimizers] == ["SGD", "Adam"]
    assert [step for step, _ in found.points("loss")] == list(range(10))
    assert [step for step, _ in found.points("loss/1")] == list(range(10))
    assert found.points("lr")[5:] == [(step, pytest.approx(0.02)) for step in range(5, 10)]
    assert found.points("lr/1")[-1] == (9, pytest.approx(0.01))
    assert all(ratio > 0 for ratio in found.stats(5)["update_ratio"].values())


RARELY = GAN.replace("    of_generator.zero_grad()", "    if step % 4 != 3: continue\n    of_generator.zero_grad()")


def test_a_network_whose_optimizer_comes_later_changes_no_layer_s_name(tmp_path: Path) -> None:
    found = watched(tmp_path, RARELY)
    assert list(found.stats(2)["grad_norm"]) == ["Critic.body"]
    assert list(found.stats(5)["grad_norm"]) == ["Generator.body", "Critic.body"]


ACCUMULATES = """
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(6):
    optimizer.zero_grad()
    losses = []
    for _ in range(4):
        inputs, labels = batch()
        loss = cross_entropy(model(inputs), labels)
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    print(sum(losses) / 4)
"""


def test_under_accumulation_the_loss_is_the_mean_of_the_step_s(tmp_path: Path) -> None:
    done = run(tmp_path, written(tmp_path, ACCUMULATES))
    means = [float(line) for line in done.stdout.split()]
    assert recorded(tmp_path).points("loss") == [(step, pytest.approx(mean)) for step, mean in enumerate(means)]


SCALES = """
model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for step in range(4):
    inputs, labels = batch()
    with torch.autocast("cpu", torch.bfloat16):
        loss = cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(loss.item())
"""


def test_a_scaled_loss_is_logged_as_it_was_before(tmp_path: Path) -> None:
    done = run(tmp_path, written(tmp_path, SCALES))
    losses = [float(line) for line in done.stdout.split()]
    assert recorded(tmp_path).points("loss") == [(step, pytest.approx(loss)) for step, loss in enumerate(losses)]


CLOSURE = """
model = net()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
inputs, labels = batch()
def closure():
    optimizer.zero_grad()
    loss = cross_entropy(model(inputs), labels)
    loss.backward()
    return loss
for _ in range(5):
    optimizer.step(closure)
"""


def test_a_model_that_is_called_within_the_step_is_found_at_the_next(tmp_path: Path) -> None:
    found = watched(tmp_path, CLOSURE)
    assert found.layers == ["0", "1", "2"]
    assert [step for step, _ in found.points("loss")] == list(range(5))
    assert [step for step, _ in found.points("lr")] == [1, 2, 3, 4]


NO_MODULE = """
weights = nn.Parameter(torch.ones(4))
optimizer = torch.optim.SGD([weights], lr=0.1)
for _ in range(30):
    optimizer.zero_grad()
    weights.square().sum().backward()
    optimizer.step()
"""


def test_without_a_module_the_loss_is_recorded_all_the_same(tmp_path: Path) -> None:
    done = run(tmp_path, written(tmp_path, NO_MODULE))
    assert "layers are not recorded" in done.stderr
    assert [step for step, _ in recorded(tmp_path).points("loss")] == list(range(30))


COMPILED = PLAIN.replace("model = net()", "model = torch.compile(net(), backend='eager', fullgraph=True)")


def test_a_compiled_model_is_watched_without_a_break_in_its_graph(tmp_path: Path) -> None:
    script = written(tmp_path, COMPILED)
    bare, done = python(script, folder=tmp_path), run(tmp_path, script)
    assert (done.returncode, done.stdout) == (0, bare.stdout), done.stderr
    assert recorded(tmp_path).stats(3)["grad_norm"]["0"] > 0


LOADS = """
class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, index):
        return torch.full((4,), float(index)), index % 2

def main(context):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    loader = torch.utils.data.DataLoader(Numbers(), batch_size=8, num_workers=2, multiprocessing_context=context)
    for inputs, labels in loader:
        loss = cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_loader_are_left_alone(tmp_path: Path, method: str) -> None:
    done = run(tmp_path, written(tmp_path, LOADS), method)
    assert done.returncode == 0, done.stderr
    assert len(recorded(tmp_path).points("loss")) == 8


def test_a_process_that_does_not_find_the_others_of_its_training_records_nothing(tmp_path: Path) -> None:
    script = written(tmp_path, PLAIN)
    done = python("-m", "trainvitals", "run", script, folder=tmp_path, RANK="1", WORLD_SIZE="2")
    assert done.returncode == 0
    assert "cannot learn which run is rank 0's" in done.stderr
    assert not (tmp_path / "spool").exists()


def test_a_preflight_within_the_script_is_no_training_and_is_kept_with_the_one_that_follows(tmp_path: Path) -> None:
    body = """
import trainvitals as tv

model = net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
tv.preflight(model, cross_entropy, batch(), optimizer, quiet=True, seconds=10)
for _ in range(7):
    inputs, labels = batch()
    optimizer.zero_grad()
    cross_entropy(model(inputs), labels).backward()
    optimizer.step()
"""
    kept = watched(tmp_path, body)
    assert [step for step, _ in kept.points("loss")] == [step for step, _ in kept.points("grad_norm")] == [*range(7)]
    kinds = [record.kind for record in records(tmp_path / "spool")]
    assert [kind for kind in kinds if kind != "frame"] == ["start", "model", "preflight", "end"]
