"""Serves Dash's bundles compressed and cacheable, with the small plotly build in place of the full one."""

from __future__ import annotations

import gzip
import mimetypes
import sys
from collections.abc import Callable
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

VENDOR: Final = Path(__file__).parent / "vendor"
VENDORED_PLOTLY: Final = "4.1.1"
A_YEAR: Final = "public, max-age=31536000, immutable"
LARGE_BYTES: Final = 400_000  # above this brotli's highest level takes seconds


def replacements() -> dict[tuple[str, str], Path]:
    """(package, path) → the file served instead. Empty if plotly.py asks for another version than the one here."""
    if get_plotlyjs_version() != VENDORED_PLOTLY:
        return {}
    return {("plotly", "package_data/plotly.min.js"): VENDOR / "plotly-cartesian.min.js"}


@lru_cache(maxsize=256)
def load(file: Path, modified: int, encoding: str) -> bytes:
    """The file's bytes in that encoding. ``modified`` (ns) is there for the cache."""
    data = file.read_bytes()
    if encoding == "br":
        return bytes(brotli.compress(data, quality=6 if len(data) > LARGE_BYTES else 9))
    return gzip.compress(data, 6) if encoding == "gzip" else data


def bundles(dash_app: Callable[[], Dash]) -> APIRouter:
    """The routes of Dash's bundles. Include them before Dash is created: the first route that matches answers."""
    router = APIRouter()
    instead = replacements()

    @router.get("/_dash-component-suites/{package}/{path:path}", include_in_schema=False)
    async def bundle(package: str, path: str, request: Request) -> Response:
        relative, fingerprinted = check_fingerprint(path)
        if relative not in dash_app().registered_paths.get(package, ()):
            raise HTTPException(404)
        file = instead.get((package, relative)) or Path(str(sys.modules[package].__file__)).parent / relative
        return await answer(file, request, immutable=fingerprinted)

    return router


async def answer(file: Path, request: Request, *, immutable: bool) -> Response:
    """The file, compressed as the browser accepts it; 304 if it has it already; 404 if there is none."""
    try:
        state = await run_in_threadpool(file.stat)
    except FileNotFoundError as error:
        raise HTTPException(404) from error
    accepted = request.headers.get("accept-encoding", "")
    encoding = next((name for name in ("br", "gzip") if name in accepted), "")
    headers = {
        "Vary": "Accept-Encoding",
        "Cache-Control": A_YEAR if immutable else "no-cache",
        "ETag": f'"{state.st_mtime_ns:x}-{state.st_size:x}-{encoding}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if encoding:
        headers["Content-Encoding"] = encoding
    body = await run_in_threadpool(load, file, state.st_mtime_ns, encoding)
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(body, media_type=media_type, headers=headers)
