"""trainvitals: see whether a network in training is healthy, and what is wrong when it is not."""

from trainvitals.active import alert, define_metric, finish, init, log, watch
from trainvitals.reactions import FindingRaised, TrainingStopped
from trainvitals.run import NoActiveRun, Run
from trainvitals.version import __version__

__all__ = [
    "FindingRaised",
    "NoActiveRun",
    "Run",
    "TrainingStopped",
    "__version__",
    "alert",
    "define_metric",
    "finish",
    "init",
    "log",
    "watch",
]
