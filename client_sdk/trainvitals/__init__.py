"""trainvitals: see whether a network in training is healthy, and what is wrong when it is not."""

import sys
from typing import TYPE_CHECKING

from trainvitals.active import alert, define_metric, finish, init, log, preflight, probe, unwatch, watch
from trainvitals.facade import Facade
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
    "preflight",
    "probe",
    "unwatch",
    "watch",
]

if TYPE_CHECKING:
    from trainvitals.values import Values
    from trainvitals.wire.messages import Finding as Finding

    config: Values
    summary: Values

sys.modules[__name__].__class__ = Facade
del sys.modules[__name__].run  # the submodule: "run" is the run at work
del sys, TYPE_CHECKING
