"""Serves Dash's bundles compressed and cacheable, with the small plotly build in place of the full one; and our own
scripts and styles as one file each: asked for one by one, they were two thirds of a page's requests."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import sys
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import brotli
from dash import Dash
from dash.fingerprint import check_fingerprint
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from plotly.offline import get_plotlyjs_version
from starlette.concurrency import run_in_threadpool

ASSETS: Final = Path(__file__).parent / "assets"
VENDOR: Final = Path(__file__).parent / "vendor"
# What browsers of ten years ago lacked is a fifth of a first second; of it Dash's own bundles need one piece alone.
POLYFILL: Final = ("dash", "deps/polyfill@7.12.1.min.js")
PLOTLY: Final = ("plotly", "package_data/plotly.min.js")
VENDORED_PLOTLY: Final = "4.1.1"
# Browsers skip over functions and read them once more as they are called, while the page waits for them. By this line
# Chromium compiles all of them at once, beside the page: of most bundles a first picture calls enough for that.
ALL_AT_ONCE: Final = b"//# allFunctionsCalledOnLoad\n"
BARELY_USED: Final = frozenset({"dash_ag_grid"})
A_YEAR: Final = "public, max-age=31536000, immutable"
LARGE_BYTES: Final = 400_000  # above this brotli's highest level takes seconds


def replacements() -> dict[tuple[str, str], Path]:
    """(package, path) → the file served instead. Plotly stays itself if plotly.py wants another version than this."""
    always = {POLYFILL: VENDOR / "regenerator-runtime.js"}
    if get_plotlyjs_version() != VENDORED_PLOTLY:
        return always
    return {**always, PLOTLY: VENDOR / "plotly-cartesian.min.js"}


def marked(package: str, path: str) -> str:
    """The address of a package's file that changes with what is served there: Dash's tell of its own files alone, and
    Plotly's of nothing, so that browsers would ask each time, and compile anew what they had compiled."""
    return f"/_dash-component-suites/{package}/{path}?{_mark(_served(package, path))}"


def _served(package: str, path: str) -> Path:
    return replacements().get((package, path)) or Path(str(sys.modules[package].__file__)).parent / path


@lru_cache
def _mark(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


@lru_cache
def own(kind: str) -> tuple[str, bytes]:
    """The address and the content of all assets that end in ``kind``, "js" or "css": others' first, for ours stand on
    them, then in the order of their names. The address changes with the content."""
    files = sorted(ASSETS.rglob(f"*.{kind}"), key=lambda file: (file.parent == ASSETS, file))
    content = b"\n".join(file.read_bytes() for file in files)
    return f"/assets/all-{hashlib.sha256(content).hexdigest()[:16]}.{kind}", content


@lru_cache(maxsize=256)
def load(file: Path, modified: int, encoding: str) -> bytes:
    """The file's bytes in that encoding. ``modified`` (ns) is there for the cache."""
    content = file.read_bytes()
    is_hinted = file.suffix == ".js" and file.parent.name not in BARELY_USED
    return packed(ALL_AT_ONCE + content if is_hinted else content, encoding)


def packed(data: bytes, encoding: str) -> bytes:
    """The bytes in an encoding that browsers name; "" is none."""
    if encoding == "br":
        return bytes(brotli.compress(data, quality=6 if len(data) > LARGE_BYTES else 9))
    return gzip.compress(data, 6) if encoding == "gzip" else data


def bundles(dash_app: Callable[[], Dash]) -> APIRouter:
    """The routes of Dash's bundles. Include them before Dash is created: the first route that matches answers."""
    router = APIRouter()

    @router.get("/_dash-component-suites/{package}/{path:path}", include_in_schema=False)
    async def bundle(package: str, path: str, request: Request) -> Response:
        relative, fingerprinted = check_fingerprint(path)
        if relative not in dash_app().registered_paths.get(package, ()):
            raise HTTPException(404)
        file = _served(package, relative)
        # Dash's fingerprint tells of its own file, and nothing of what stands in its place
        is_own = fingerprinted and (package, relative) not in replacements()
        return await answer(file, request, immutable=is_own or request.url.query == _mark(file))

    for kind in ("js", "css"):
        router.add_api_route(own(kind)[0], _own_of(kind), include_in_schema=False)
    return router


def _own_of(kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def whole(request: Request) -> Response:
        encoding = _accepted(request)
        headers = {"Vary": "Accept-Encoding", "Cache-Control": A_YEAR, **_encoded_as(encoding)}
        body = await run_in_threadpool(_packed_own, kind, encoding)
        return Response(body, media_type=mimetypes.types_map[f".{kind}"], headers=headers)

    return whole


@lru_cache
def _packed_own(kind: str, encoding: str) -> bytes:
    return packed(own(kind)[1], encoding)


async def answer(file: Path, request: Request, *, immutable: bool) -> Response:
    """The file, compressed as the browser accepts it; 304 if it has it already; 404 if there is none."""
    try:
        state = await run_in_threadpool(file.stat)
    except FileNotFoundError as error:
        raise HTTPException(404) from error
    encoding = _accepted(request)
    headers = {
        "Vary": "Accept-Encoding",
        "Cache-Control": A_YEAR if immutable else "no-cache",
        "ETag": f'"{state.st_mtime_ns:x}-{state.st_size:x}-{encoding}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    headers.update(_encoded_as(encoding))
    body = await run_in_threadpool(load, file, state.st_mtime_ns, encoding)
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(body, media_type=media_type, headers=headers)


def _accepted(request: Request) -> str:
    accepted = request.headers.get("accept-encoding", "")
    return next((name for name in ("br", "gzip") if name in accepted), "")


def _encoded_as(encoding: str) -> dict[str, str]:
    return {"Content-Encoding": encoding} if encoding else {}
