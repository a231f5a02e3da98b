"""Where a run runs: versions, host, command line, code revision; whatever can be had quickly."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import subprocess
import sys
import time
from importlib import metadata
from typing import Any, Final

from trainvitals.plain import plain, text
from trainvitals.version import __version__

GIT_TIMEOUT_SECONDS: Final = 2.0
KEEP_DIFF: Final = "TRAINVITALS_KEEP_DIFF"  # what was changed may hold secrets: kept only where that is said
MOST_OF_PATCH: Final = 200_000  # characters
# those of them that are loaded, by the names of module and distribution alike
PACKAGES: Final = (
    *("accelerate", "datasets", "deepspeed", "diffusers", "einops", "keras", "lightning", "numpy", "peft"),
    *("pytorch_lightning", "safetensors", "timm", "tokenizers", "torchaudio", "torchvision", "transformers", "triton"),
)
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_run_id(*, now: float) -> str:
    """14 characters of 0-9a-z: 9 of the time in milliseconds, so that ids sort by it, then 5 at random."""
    return base36(int(now * 1000), 9) + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def new_writer() -> int:
    """A random 63-bit number."""
    return secrets.randbits(63)


def new_name(*, now: float) -> str:
    """A name for a run that was given none: script and time."""
    script = os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0]
    return f"{script or 'run'}-{time.strftime('%m%d-%H%M%S', time.localtime(now))}"


def describe() -> dict[str, Any]:  # Any: goes into RunStart.environment as it is
    """What is known of this process and machine. Starts git, so call it off the training's thread. Never raises."""
    try:
        told = _describe()
        patch = told.pop("patch")  # longer than other text
        found: dict[str, Any] = plain(told) | {"patch": patch and text(patch, longest=MOST_OF_PATCH)}
    except Exception as error:  # noqa: BLE001  # a run is not lost because its machine is odd
        return {"error": f"{type(error).__name__}: {error}"}
    return found


def _describe() -> dict[str, Any]:
    revision = _git("describe", "--always", "--dirty", "--abbrev=12")
    is_dirty = revision is not None and revision.endswith("-dirty")
    patch = _git("diff", "HEAD", "--no-ext-diff") if is_dirty else None
    return {
        "python": platform.python_version(),
        "torch": _version_of("torch"),
        "trainvitals": __version__,
        "packages": {name: _version_of(name) for name in PACKAGES if name in sys.modules},
        "cuda": getattr(getattr(sys.modules.get("torch"), "version", None), "cuda", None),
        "host": platform.node(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "pid": os.getpid(),
        "command": list(sys.argv),
        "revision": revision,
        "branch": _git("branch", "--show-current") if revision is not None else None,
        "diff": _fingerprint(patch),
        "patch": patch if os.environ.get(KEEP_DIFF) not in (None, "", "0") else None,
    }


def _version_of(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _fingerprint(text: str | None) -> str | None:
    """By which the same changes are known again, though they are not kept."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()[:12]


def _git(*words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def base36(number: int, width: int) -> str:
    """The lowest ``width`` digits of a number in 0-9a-z."""
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits = _ALPHABET[digit] + digits
    return digits
