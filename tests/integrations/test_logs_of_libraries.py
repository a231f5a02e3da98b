"""What real libraries leave on disk, read as runs: TensorBoard, Lightning, Keras, Transformers."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import lightning.pytorch
import pytest
import torch
import transformers
from lightning.pytorch.loggers import CSVLogger
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_BOOL, DT_FLOAT, DT_STRING
from torch.utils.tensorboard import SummaryWriter

from tests.imported import imported
from tests.integrations.conftest import run_script
from trainvitals.importing.errors import CannotImport

pytestmark = pytest.mark.slow
LOSSES = [2.0, 1.5, math.nan, math.inf, 0.25]
POINTS = str(list(enumerate(LOSSES)))


def written(folder: Path, *, new_style: bool = False) -> Path:
    """The event file of a run."""
    with SummaryWriter(folder) as writer:
        for step, loss in enumerate(LOSSES):
            writer.add_scalar("train/loss", loss, step, new_style=new_style)
        writer.add_text("notes", "no number", 0)
        writer.add_histogram("weights", torch.arange(8.0), 0)
    (file,) = folder.iterdir()
    return file


@pytest.mark.parametrize("new_style", [False, True], ids=["as simple values", "as tensors"])
@pytest.mark.parametrize("whole_folder", [False, True], ids=["file", "folder"])
def test_scalars_of_event_files_of_either_kind_are_read(new_style: bool, whole_folder: bool, tmp_path: Path) -> None:
    file = written(tmp_path / "sun-1", new_style=new_style)
    run = imported(file.parent if whole_folder else file)

    assert (run.start.name, run.metrics, str(run.points("train/loss"))) == ("sun-1", ["train/loss"], POINTS)
    assert 0 < run.start.started_at <= run.end.ended_at


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(dtype=DT_FLOAT, float_val=[1], tensor_shape=TensorShapeProto(dim=[{"size": 10**12}])),
        TensorProto(dtype=DT_FLOAT, float_val=[1, 2], tensor_shape=TensorShapeProto(dim=[{"size": 2}])),
        TensorProto(dtype=DT_STRING, string_val=[b"abc"]),
        TensorProto(dtype=DT_BOOL, bool_val=[True]),
        TensorProto(dtype=99, float_val=[1]),
        TensorProto(dtype=DT_FLOAT, tensor_content=b"123"),
    ],
    ids=["of a shape that is made up", "vector", "text", "truth", "of an unknown type", "cut off"],
)
def test_a_tensor_that_is_no_scalar_is_left_out_and_said(
    tensor: TensorProto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 1.5, 0)
        writer.file_writer.add_summary(Summary(value=[Summary.Value(tag="odd", metadata=about, tensor=tensor)]), 1)
    run = imported(tmp_path)

    assert (run.metrics, run.points("loss")) == (["loss"], [(0, 1.5)])
    assert "left out, for they hold no numbers: 'odd'" in capsys.readouterr().err


def test_all_scalars_are_read_however_many(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path / "long") as writer:
        for step in range(12_000):
            writer.add_scalar("loss", step, step)
    with SummaryWriter(tmp_path / "long", filename_suffix=".resumed") as writer:
        writer.add_scalar("loss", 7.5, 11_999)

    points = imported(tmp_path / "long").points("loss")
    assert (len(points), points[0], points[-1]) == (12_000, (0, 0.0), (11_999, 7.5))


def test_a_folder_of_folders_with_event_files_is_no_run(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        written(tmp_path / name)

    with pytest.raises(CannotImport, match="name one of the folders 'train', 'validation'"):
        imported(tmp_path)


def test_a_file_of_events_that_ends_in_the_middle_is_read_so_far(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_bytes(file.read_bytes()[:-200])

    assert imported(file).points("train/loss")[:2] == [(0, 2.0), (1, 1.5)]


def test_without_tensorboard_its_installation_is_named(tmp_path: Path) -> None:
    gone = "import sys; sys.modules['tensorboard'] = None\nfrom trainvitals.command import main\nmain(['import', {!r}])"
    said = run_script(gone.format(str(written(tmp_path)))).stderr

    assert "pip install tensorboard" in said
    assert "Traceback" not in said


def test_the_metrics_of_lightnings_csv_logger_are_read(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, name="digits")
    logger.log_hyperparams({"batch_size": 32})
    for step, loss in enumerate(LOSSES):
        logger.log_metrics({"train_loss": loss, "lr-Adam": 0.5, "epoch": step // 2}, step)
        logger.log_metrics({"val_loss": step + 0.5, "epoch": step // 2}, step)
    logger.save()
    run = imported(Path(logger.log_dir) / "metrics.csv")

    assert (run.start.name, str(run.points("train_loss"))) == ("version_0", POINTS)
    assert run.points("val_loss") == [(step, step + 0.5) for step in range(5)]
    assert (lightning.pytorch.__version__ > "2", run.points("lr")[0]) == (True, (0, 0.5))


def test_the_log_of_keras_csv_logger_is_read(tmp_path: Path) -> None:
    logger = keras.callbacks.CSVLogger(tmp_path / "training.log")
    logger.set_model(keras.Sequential([keras.layers.Dense(1)]))
    logger.on_train_begin()
    for epoch, loss in enumerate(LOSSES):
        logger.on_epoch_end(epoch, {"loss": loss, "val_loss": epoch + 0.5, "learning_rate": 0.5})
    logger.on_train_end()
    run = imported(tmp_path / "training.log")

    assert (str(run.points("loss")), run.points("lr")[-1]) == (POINTS, (4, 0.5))
    assert run.points("val_loss") == [(step, step + 0.5) for step in range(5)]


def test_the_trainer_state_of_transformers_is_read(tmp_path: Path) -> None:
    log = [{"epoch": step / 5, "step": step, "loss": loss, "learning_rate": 0.5} for step, loss in enumerate(LOSSES)]
    evaluation = {"epoch": 1.0, "step": 4, "eval_loss": 0.75}
    state = transformers.TrainerState(log_history=[*log, evaluation], max_steps=500, num_train_epochs=3)
    state.save_to_json(str(tmp_path / "trainer_state.json"))
    run = imported(tmp_path / "trainer_state.json")

    assert (str(run.points("loss")), run.points("eval_loss")) == (POINTS, [(4, 0.75)])
    assert (run.points("lr")[0], run.points("epoch")[-1]) == ((0, 0.5), (4, 1.0))
    assert (run.start.planned_steps, run.start.config["num_train_epochs"]) == (500, 3)
