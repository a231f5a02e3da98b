"""Questions of commands to a server, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import httpx2

from trainvitals.wire import coding
from trainvitals.wire.errors import WireError
from trainvitals.wire.messages import Problem

DEFAULT_URL: Final = "http://127.0.0.1:7360"
TIMEOUT_SECONDS: Final = 30.0
T = TypeVar("T")


class NoAnswer(Exception):
    """The server is not there, or refuses; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it is, and the secret that it asks for."""

    url: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str], *, url: str | None) -> Server:
        """The one that is named, else that of TRAINVITALS_SERVER_URL, else this machine's."""
        chosen = url or environment.get("TRAINVITALS_SERVER_URL") or DEFAULT_URL
        return cls(url=chosen.rstrip("/"), token=environment.get("TRAINVITALS_TOKEN"))

    def ask(self, path: str, kind: type[T], *, put: object = None) -> T:
        """What it answers to GET, or to PUT of a message. Raises NoAnswer."""
        headers = {"Accept": coding.MSGPACK, "Content-Type": coding.MSGPACK}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        method, body = ("GET", None) if put is None else ("PUT", coding.encode(put))
        try:
            answer = httpx2.request(method, f"{self.url}{path}", headers=headers, content=body, timeout=TIMEOUT_SECONDS)
            if answer.status_code == httpx2.codes.OK:
                return coding.decode(answer.content, kind)
        except httpx2.HTTPError as error:
            raise NoAnswer(
                f"{self.url} does not answer ({error}): is the server there? --server-url names another"
            ) from error
        except WireError as error:
            raise NoAnswer(f"{self.url} answered what cannot be read: {error}") from error
        raise NoAnswer(f"{self.url} answered {answer.status_code}: {_detail(answer)}")


def _detail(answer: httpx2.Response) -> str:
    try:
        return coding.decode(answer.content, Problem, media_type=coding.JSON).detail
    except WireError:
        return answer.text[:200]
