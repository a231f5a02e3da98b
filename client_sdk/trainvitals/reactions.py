"""What a script wants done when something is found, done on the training's own thread.

Exception
├── RuntimeError
│   └── FindingRaised     on_finding="raise": the run fails with it
└── SystemExit
    └── TrainingStopped   on_finding="stop": the script ends as by sys.exit(), the run counts as stopped
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from trainvitals.console import SEVERITIES, in_words

if TYPE_CHECKING:
    from trainvitals.wire.messages import Finding, Severity

Call = Callable[["Finding"], object]
Word = Literal["stop", "raise"]
STOPPED_STATUS: Final = 3  # the exit status: what comes after a training in a shell script is not to go on
ENDING: Final = "critical"  # the severity at which "stop" and "raise" end a training
ALREADY_OVER: Final = "resolved"


class FindingRaised(RuntimeError):
    """Something critical was found, and ``on_finding="raise"`` was asked for. ``finding`` is what."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(in_words(finding))
        self.finding = finding

    def __reduce__(self) -> tuple[type, tuple[Finding]]:
        return type(self), (self.finding,)  # launchers of several processes send errors from one to another


class TrainingStopped(SystemExit):
    """Something critical was found, and ``on_finding="stop"`` was asked for. ``finding`` is what.

    Uncaught it ends the script quietly with exit status 3; ``finally`` and ``with`` are gone through as always.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(STOPPED_STATUS)
        self.finding = finding

    def __reduce__(self) -> tuple[type, tuple[Finding]]:
        return type(self), (self.finding,)

    def __str__(self) -> str:
        return f"stopped: {in_words(self.finding)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """``on_finding``: what is called with each finding, or how a critical one ends the training. ``checkpoint`` is
    called before it, for findings of the severities ``checkpoint_on``."""

    on_finding: Call | Word | None = None
    checkpoint: Call | None = None
    checkpoint_on: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Whether anything is to be done at all."""
        return self.on_finding is not None or self.checkpoint is not None


def read_wishes(
    on_finding: Call | Word | None, checkpoint: Call | None, checkpoint_on: Iterable[Severity] | None
) -> Wishes:
    """What ``init`` was given, understood. Raises InvalidSetting."""
    from trainvitals.settings import InvalidSetting

    if not (on_finding is None or callable(on_finding) or on_finding in get_args(Word)):
        raise InvalidSetting(f'on_finding={on_finding!r} is unknown: give a function, "stop" or "raise"')
    if checkpoint is not None and not callable(checkpoint):
        raise InvalidSetting(f"checkpoint={checkpoint!r} cannot be called: give a function that saves your state")
    chosen = [checkpoint_on] if isinstance(checkpoint_on, str) else list(checkpoint_on or ())
    if unknown := [word for word in chosen if word not in SEVERITIES]:
        raise InvalidSetting(f"checkpoint_on={unknown!r}: severities are {', '.join(SEVERITIES)}")
    if chosen and checkpoint is None:
        raise InvalidSetting("checkpoint_on needs checkpoint=, the function that saves your state")
    on = frozenset(chosen or [ENDING]) if checkpoint is not None else frozenset[str]()
    return Wishes(on_finding=on_finding, checkpoint=checkpoint, checkpoint_on=on)


class Reactions:
    """Findings on their way from the thread that talks to the server to the training. ``put`` may be called on any
    thread; ``act`` on the training's, and calls what the script gave there.

    A finding is acted upon once for each time that it opens, and once more when it grows graver. ``look_closer`` is
    called, on the thread of ``put``, when findings are open that came just now.
    """

    def __init__(self, wishes: Wishes, *, say: Callable[[str], None]) -> None:
        self._wishes = wishes
        self._say = say
        self._arrived: deque[Finding] = deque()
        self._opened: deque[Finding] = deque()
        self._known: dict[str, int] = {}  # open findings → the place of their severity in SEVERITIES
        self._acting = False
        self.look_closer: Callable[[], object] = _nothing

    @property
    def wanted(self) -> bool:
        """Whether findings lead to anything."""
        return self._wishes.any

    @property
    def waiting(self) -> bool:
        """Whether there is something to act upon; cheap enough for every step."""
        return bool(self._arrived or self._opened) and not self._acting

    def put(self, findings: Iterable[Finding]) -> None:
        """Findings that opened, grew graver or were resolved, in order."""
        news = list(findings)
        if self._wishes.any:
            self._arrived.extend(news)
        if any(finding.state != ALREADY_OVER for finding in news):
            self.look_closer()

    def act(self, *, is_over: bool = False) -> None:
        """Call what is to be called; then raise FindingRaised or TrainingStopped where that is wished, unless the
        training ``is_over``. What a function raises is printed; FindingRaised and what ends a script go through."""
        if self._acting:
            return  # a function of the script logs, which led here
        self._acting = True
        try:
            self._opened.extend(self._news())
            while self._opened:
                self._act_upon(self._opened.popleft(), is_over=is_over)
        finally:
            self._acting = False

    def _news(self) -> list[Finding]:
        """What opened since, as it is now: what is resolved by the time that it is heard of leads to nothing."""
        newest: dict[str, Finding] = {}
        while self._arrived:
            finding = self._arrived.popleft()
            newest[finding.finding_id] = finding
        return [finding for finding in newest.values() if self._is_new(finding)]

    def _is_new(self, finding: Finding) -> bool:
        if finding.state == ALREADY_OVER:
            self._known.pop(finding.finding_id, None)
            return False
        place = SEVERITIES.index(finding.severity)
        before = self._known.get(finding.finding_id, len(SEVERITIES))
        self._known[finding.finding_id] = min(place, before)
        return place < before

    def _act_upon(self, finding: Finding, *, is_over: bool) -> None:
        wishes = self._wishes
        if wishes.checkpoint is not None and finding.severity in wishes.checkpoint_on:
            self._call(wishes.checkpoint, "checkpoint", finding, is_over=is_over)
        if callable(wishes.on_finding):
            self._call(wishes.on_finding, "on_finding", finding, is_over=is_over)
        elif wishes.on_finding is not None and finding.severity == ENDING and not is_over:
            raise FindingRaised(finding) if wishes.on_finding == "raise" else TrainingStopped(finding)

    def _call(self, function: Call, name: str, finding: Finding, *, is_over: bool) -> None:
        try:
            function(finding)
        except (FindingRaised, TrainingStopped):
            if not is_over:
                raise
        except Exception:  # noqa: BLE001  # the script's own; a slip in it is no reason to lose the training
            self._say(f"{name}() failed, and the training goes on:\n{traceback.format_exc().rstrip()}")


def _nothing() -> None:
    return None
