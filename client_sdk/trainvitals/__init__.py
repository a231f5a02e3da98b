"""trainvitals: see whether a network in training is healthy, and what is wrong when it is not."""

from trainvitals.active import finish, init, log, preflight, watch
from trainvitals.run import NoActiveRun, Run
from trainvitals.version import __version__

__all__ = ["NoActiveRun", "Run", "__version__", "finish", "init", "log", "preflight", "watch"]
