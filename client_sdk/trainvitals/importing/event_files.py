"""TensorBoard's event files, through TensorBoard itself, which is asked for when it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from trainvitals.importing.errors import CannotImport
from trainvitals.importing.gathering import Gathered
from trainvitals.importing.imported import Imported
from trainvitals.importing.numbers import NoNumber
from trainvitals.points import MAX_STEP

IN_NAMES: Final = "tfevents"
ALL: Final = 0  # in size guidance
# Scalars of either kind; of the rest as few as can be
GUIDANCE: Final = {"scalars": ALL, "tensors": ALL, "images": 1, "audio": 1, "histograms": 1, "distributions": 1}


def event_files(folder: Path) -> list[Path]:
    """Those that lie in a folder."""
    return sorted(path for path in folder.iterdir() if IN_NAMES in path.name and path.is_file())


def read_events(path: Path) -> Imported:
    """The scalars of a file, or of all files in a folder. Raises CannotImport, OSError."""
    accumulator = _loaded(path)
    gathered, times = Gathered(), list[float]()
    scalars = [(tag, accumulator.Scalars(tag), _of_scalar) for tag in accumulator.Tags()["scalars"]]
    tensors = [(tag, accumulator.Tensors(tag), _of_tensor) for tag in _scalar_tensors(accumulator)]
    for tag, events, value_of in (*scalars, *tensors):
        for event in events:
            if not 0 <= event.step <= MAX_STEP:
                raise CannotImport(path, f"steps count from 0, and {tag!r} has a point at step {event.step}")
            try:
                gathered.add(tag, event.step, value_of(event))
            except NoNumber:
                gathered.miss(tag)
        times += [event.wall_time for event in events]
    return Imported(
        source="TensorBoard",
        gathered=gathered,
        started_at=min(times, default=None),
        ended_at=max(times, default=None),
    )


def _loaded(path: Path) -> Any:  # Any: TensorBoard has no types
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise CannotImport(
            path, f"TensorBoard reads its files, and is missing ({error}): pip install tensorboard"
        ) from error
    try:
        return EventAccumulator(str(path), size_guidance=GUIDANCE).Reload()
    except OSError:
        raise
    except Exception as error:  # the border: what it raises of damaged files it does not say
        what = f"TensorBoard cannot read it ({type(error).__name__}: {error}): export its scalars as CSV"
        raise CannotImport(path, what) from error


def _scalar_tensors(accumulator: Any) -> list[str]:  # Any: see above
    """Scalars as TensorFlow 2 writes them, and torch when it is told to."""
    try:
        known = accumulator.PluginTagToContent("scalars")
    except KeyError:
        return []
    return [tag for tag in accumulator.Tags()["tensors"] if tag in known]


def _of_scalar(event: Any) -> float:
    return float(event.value)


def _of_tensor(event: Any) -> float:
    """Raises NoNumber: of a shape that is no scalar's, TensorBoard would make an array, however large it says it is."""
    from tensorboard.util import tensor_util

    if any(dim.size != 1 for dim in event.tensor_proto.tensor_shape.dim):
        raise NoNumber("it is no scalar")
    try:
        value = tensor_util.make_ndarray(event.tensor_proto).item()
    except (TypeError, ValueError, KeyError) as error:
        raise NoNumber(f"it cannot be read ({error})") from error
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise NoNumber(f"it is of type {type(value).__name__}")
