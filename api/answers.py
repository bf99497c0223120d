"""Answers: JSON by orjson, exact bytes, and how long a cache may keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from flask import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

# A tile's bytes never change once it is in its place (C2SP tlog-tiles).
FOREVER: Final = "public, max-age=31536000, immutable"
# A checkpoint is replaced within seconds while the log grows.
BRIEFLY: Final = "public, max-age=1"


def json_answer(document: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return bytes_answer(orjson.dumps(document), status=status, headers=headers)


def bytes_answer(
    body: bytes,
    *,
    status: int = 200,
    media: str = "application/json",
    cache: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer of exactly these bytes; without `cache` nobody may keep it."""
    response = Response(body, status=status, content_type=media)
    if cache is not None:
        response.headers["Cache-Control"] = cache
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response
