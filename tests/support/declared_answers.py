"""Every answer of an application held against the OpenAPI document that it serves."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import request

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask import Response

# No operation answers these: a method that is none of its path's, and a defect, which tests make on purpose.
_OUTSIDE = frozenset({405, 500})


def watch_answers(app: APIFlask) -> list[str]:
    """Note from now on each answer whose status or type the document does not have; gives the growing list."""
    undeclared: list[str] = []

    @cache
    def paths() -> Any:
        document: Any = app.spec
        return document["paths"]

    def check(response: Response) -> Response:
        rule = request.url_rule
        path = None if rule is None else re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule)
        if path not in paths() or response.status_code in _OUTSIDE:
            return response
        operation = paths()[path]["get" if request.method == "HEAD" else request.method.lower()]
        declared = operation["responses"].get(str(response.status_code))
        if declared is None:
            undeclared.append(f"{request.method} {path}: {response.status_code}")
        elif "$ref" in declared:
            if response.mimetype != "application/problem+json":
                undeclared.append(f"{request.method} {path}: {response.status_code} as {response.mimetype}")
        elif response.mimetype not in declared.get("content", {"": None, response.mimetype: None}):
            undeclared.append(f"{request.method} {path}: {response.status_code} as {response.mimetype}")
        return response

    app.after_request(check)
    return undeclared
