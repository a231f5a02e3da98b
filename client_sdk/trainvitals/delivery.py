"""Works a spool off, record by record; the sender's thread and `trainvitals sync` both do it by this."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

from trainvitals.client import Answer, Client, Outcome
from trainvitals.console import Console
from trainvitals.spool import Record, Spool
from trainvitals.wire import coding
from trainvitals.wire.messages import Finding, RunEnd

Progress = Literal["sent", "empty", "ended", "stuck"]
TROUBLES: Final[tuple[Outcome, ...]] = ("unreachable", "busy")
TRIES: Final = 3  # of what arrives damaged: then it was so before


class Delivery:
    """Ships one spool in order. ``step`` ships one record; ``last`` is the server's last answer; ``found`` is given the
    findings that answers bring, ``heed`` the answers themselves. ``waits_in``: where what is not shipped waits,
    if not in the spool's folder."""

    def __init__(
        self,
        spool: Spool,
        client: Client,
        console: Console,
        *,
        drops: Counter[str] | None = None,
        found: Callable[[Sequence[Finding]], None] | None = None,
        heed: Callable[[Answer], None] | None = None,
        waits_in: str | None = None,
    ) -> None:
        self.spool = spool
        self.last = Answer(outcome="taken")
        self._client = client
        self._console = console
        self._drops: Counter[str] = Counter() if drops is None else drops
        self._found = found
        self._heed = heed
        self._waits_in = waits_in
        self._introductions: dict[str, Record] = {}

    def step(self) -> Progress:
        """Ship the oldest record, or say that there is none, or that the server did not take it (``last`` says why)."""
        record = self.spool.next()
        if record is None:
            return "empty"
        answer = self.last = self._send(record)
        if answer.outcome == "unknown run" and self._introduce_again():
            answer = self.last = self._send(record)
        if answer.outcome == "refused":
            self._drops["refused by the server"] += 1
            self._console.say(
                f"the server refused a {record.kind} ({answer.detail}): it is dropped", once=f"refused {record.kind}"
            )
        elif answer.outcome != "taken":
            self._explain(answer)
            return "stuck"
        else:
            self._tell_of_recovery()
            if record.kind in ("start", "model", "preflight"):
                self._introductions[record.kind] = record
        for remark in answer.remarks:
            self._console.remark(remark)
        url = f"{self._client.server_url}/runs/{self.spool.run_id}"
        self._console.findings(answer.findings, url=url)
        if answer.ending is not None:
            status = coding.decode(record.payload, RunEnd).status
            self._console.ending(answer.ending, status=status, url=url)
        self._pass_on(answer)
        self.spool.acknowledge(record)
        self.heed(answer)
        return "ended" if record.kind == "end" else "sent"

    def _send(self, record: Record) -> Answer:
        for _ in range(TRIES):
            answer = self._client.send(record.kind, self.spool.run_id, record.payload)
            if answer.outcome != "damaged":
                break
        else:
            return replace(answer, outcome="refused")
        if answer.outcome == "too large" and record.kind == "frame":
            return self._send_halves(record, answer)
        return answer

    def _send_halves(self, record: Record, too_large: Answer) -> Answer:
        """All of a frame's parts, of which one may be refused, or the first answer that bids to wait: then they are
        sent again with the frame, under the same numbers."""
        from trainvitals.halving import halves

        answer, refusal, findings = too_large, None, list[Finding]()
        for payload in halves(record.payload):
            answer = self._send(replace(record, payload=payload))
            findings += answer.findings
            if answer.outcome == "refused":
                refusal = answer
            elif answer.outcome != "taken":
                return answer
        return replace(refusal or answer, findings=tuple(findings))

    def heed(self, answer: Answer) -> None:
        """Do what an answer asks the training for."""
        if self._heed is not None:
            self._heed(answer)

    def _pass_on(self, answer: Answer) -> None:
        ended = answer.ending.findings if answer.ending is not None else ()
        if self._found is not None and (answer.findings or ended):
            self._found([*answer.findings, *ended])

    def _introduce_again(self) -> bool:
        """A server that lost its data learns of the run again."""
        return "start" in self._introductions and all(
            self._client.send(record.kind, self.spool.run_id, record.payload).outcome == "taken"
            for record in list(self._introductions.values())
        )

    def _explain(self, answer: Answer) -> None:
        url, say = self._client.server_url, self._console.say
        if answer.outcome == "unauthorized":
            which = "another token" if self._client.has_token else "a token"
            say(f"{url} wants {which} ({answer.detail}): set TRAINVITALS_TOKEN; data wait in {self._folder}")
        elif answer.outcome == "misled":
            say(f"{url} does not answer like a trainvitals server ({answer.detail}); data wait in {self._folder}")
        elif answer.outcome == "too large":
            say(
                f"{url}, or a proxy before it, does not take what is as large as this ({answer.detail}): raise "
                f"TRAINVITALS_MAX_FRAME_BYTES there, or the proxy's limit; data wait in {self._folder}"
            )
        elif answer.outcome == "unknown run":
            say(f"{url} does not know run {self.spool.run_id} (deleted there?); its data wait in {self._folder}")
        else:
            say(
                f"{url} cannot take data now ({answer.detail}); they wait in {self._folder}",
                once=self._trouble(answer.outcome),
            )

    def _tell_of_recovery(self) -> None:
        if [outcome for outcome in TROUBLES if self._console.forget(self._trouble(outcome))]:
            self._console.say(f"{self._client.server_url} takes data again", once=f"again {time.time()}")

    def _trouble(self, outcome: Outcome) -> str:
        return f"{outcome} {self._client.server_url}"

    @property
    def _folder(self) -> str:
        if self._waits_in is not None:
            return self._waits_in
        return str(self.spool.path.parent) if self.spool.on_disk else "memory"


def drain(delivery: Delivery, *, wait: Callable[[int, Answer], bool]) -> bool:
    """Ship all of a spool; True when nothing is left. ``wait(failures, answer)`` waits, or says False to give up."""
    failures = 0
    while (progress := delivery.step()) != "empty":
        if progress != "stuck":
            failures = 0
            continue
        failures += 1
        if not wait(failures, delivery.last):
            return False
    return True
