"""Pages for anyone: what this is, a record, and the files that pages load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import Response, redirect, request

from api.answers import BRIEFLY, FOREVER
from api.service import service
from api.web.assets import load_assets
from api.web.record_page import read_record_page
from api.web.rendering import check_language, link, page
from ledger_service.errors import NotFoundError

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

blueprint = APIBlueprint("pages", __name__, enable_openapi=False)
blueprint.before_request(check_language)

_RECORD_ID: Final = re.compile(r"(?:.*/records/)?([A-Za-z0-9_-]{22,43})(?:[/?#].*)?", re.ASCII)
# What a file may do that is opened by itself, or that runs as a worker: load our other scripts, nothing else.
_ASSET_POLICY: Final = (
    "default-src 'none'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# The worker that hashes files runs WebAssembly, which a policy must allow by name.
_WORKER: Final = "verify/digest_worker.js"
_WORKER_POLICY: Final = _ASSET_POLICY.replace("'self'", "'self' 'wasm-unsafe-eval'")


@blueprint.get("/")
def front() -> Response:
    """Say what this is, and look up a record."""
    return page("front.html", logs=len(service().logs.logs()), asked=None)


@blueprint.get("/records")
def look_up() -> AnyResponse:
    """Go to the record of an id, or of a link that holds one."""
    asked = request.args.get("id", "").strip()
    found = _RECORD_ID.fullmatch(asked)
    if found is None:
        return page("front.html", status=404, logs=len(service().logs.logs()), asked=asked)
    return redirect(link(f"/records/{found[1]}"), code=303)


@blueprint.get("/records/<record_id>")
def record(record_id: str) -> Response:
    """Show a record: readable, printable, and how to check it without us."""
    return page("record.html", record=read_record_page(record_id))


@blueprint.get("/static/<version>/<path:name>")
def static(version: str, name: str) -> Response:
    """Give a file that pages load."""
    assets = load_assets()
    asset = assets.find(name)
    packed = request.accept_encodings["gzip"] > 0
    response = Response(asset.packed if packed else asset.content, content_type=asset.media)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    # An address of an older version shows what the file is now: only for as long as a page of then is open.
    response.headers["Cache-Control"] = FOREVER if version == assets.version else BRIEFLY
    response.headers["Content-Security-Policy"] = _WORKER_POLICY if name == _WORKER else _ASSET_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Browsers ask for it where no page names an icon."""
    raise NotFoundError
