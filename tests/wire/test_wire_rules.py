"""What is said of rules is read as it was written, and so is what was written before there was anything to say."""

from __future__ import annotations

import msgspec
import pytest

from trainvitals.wire.coding import JSON, MSGPACK, decode, encode
from trainvitals.wire.errors import Malformed
from trainvitals.wire.messages import RunStart
from trainvitals.wire.rules import RuleChange


@pytest.mark.parametrize("media_type", [JSON, MSGPACK])
def test_a_change_survives_both_ways(media_type: str) -> None:
    change = RuleChange(muted=["a"], options={"b": {"c": 1.5, "d": 2, "e": "word", "f": True}}, by="Ada", after=3)

    assert decode(encode(change, media_type=media_type), RuleChange, media_type=media_type) == change


def test_a_run_of_an_older_sdk_mutes_nothing() -> None:
    older = msgspec.msgpack.encode({"project": "p", "name": "n", "started_at": 1.0})

    assert decode(older, RunStart).mute == []


@pytest.mark.parametrize("said", [b'{"muted": "a"}', b'{"options": {"a": 1}}', b'{"after": "x"}'])
def test_what_is_no_change_is_refused(said: bytes) -> None:
    with pytest.raises(Malformed):
        decode(said, RuleChange, media_type=JSON)
