"""What people say of a run when it begins, as a message: whatever they give, the run begins."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from trainvitals.plain import plain, title
from trainvitals.points import MAX_STEP
from trainvitals.ranks import Place
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart

MAX_WORDS: Final = 100  # tags, or muted rules: within the server's limits
MAX_CONFIG_BYTES: Final = 1024 * 1024

Say = Callable[[str], None]


def beginning(
    *,
    project: str,
    name: str,
    started_at: float,
    config: object,
    tags: object,
    group: object,
    planned_steps: object,
    mute: object,
    place: Place,
    say: Say,
) -> RunStart:
    """Unix seconds ``started_at``. What cannot be kept is left out, and ``say`` tells it."""
    return RunStart(
        project=title(project),
        name=title(name),
        started_at=started_at,
        config=_config(config, say),
        tags=_words(tags, "tags", say),
        group=title(plain(group)) if group else None,
        planned_steps=_planned(planned_steps, say),
        rank=place.rank,
        ranks=place.ranks,
        mute=_rules(mute, say),
    )


def _config(config: object, say: Say) -> dict[str, Any]:  # Any: settings are the user's own
    if config is None or isinstance(config, Mapping):
        found = plain(config or {})
    else:
        found = plain(getattr(config, "__dict__", None) or {"config": config})
    settings = found if isinstance(found, dict) else {"config": found}
    if (size := len(coding.encode(settings))) <= MAX_CONFIG_BYTES:
        return settings
    say(f"config takes {size:,} bytes, more than {MAX_CONFIG_BYTES:,}, and is left out: give settings, not data")
    return {}


def _words(words: Any, name: str, say: Say) -> list[str]:  # Any: words, if all goes well
    try:
        given = [] if words is None else [words] if isinstance(words, str) else list(words)
    except Exception:  # noqa: BLE001  # whatever a stranger's __iter__ does
        say(f"{name} of type {type(words).__name__} are left out: give a list of words")
        return []
    return [title(plain(word)) for word in given[:MAX_WORDS]]


def _rules(mute: object, say: Say) -> list[str]:
    """Rules as findings call them, each once."""
    rules = [word.strip().replace("-", "_") for word in _words(mute, "mute", say)]
    return list(dict.fromkeys(filter(None, rules)))


def _planned(steps: Any, say: Say) -> int | None:  # Any: a whole number, if all goes well
    try:
        return None if steps is None else min(max(0, operator.index(steps)), MAX_STEP)
    except Exception:  # noqa: BLE001  # whatever a stranger's __index__ does
        say(f"planned_steps={plain(steps)!r} is no whole number, and left out")
        return None
