"""Logs as C2SP tlog-tiles: paths that a cache may keep for ever, and the one that it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint

from api.answers import BRIEFLY, FOREVER, bytes_answer
from api.operations import Content, operation
from api.service import service
from ledger_service.errors import MalformedError, NotFoundError, TileMissingError, UnknownCheckpointError
from ledger_service.proofs.note import format_vkey
from ledger_service.proofs.tile import ENTRIES, parse_tile_path

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("tiles", __name__)
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"


@blueprint.get("/logs/<org>/<collection>/checkpoint")
@operation(
    blueprint,
    "checkpoint",
    tag="tiles",
    answers={200: Content("The newest checkpoint, a C2SP signed note.", media=("text/plain",))},
)
def checkpoint(org: str, collection: str) -> Response:
    """Give the newest checkpoint."""
    here = service()
    log = here.public_log(org, collection)
    try:
        with here.logs.view_number(log.id) as view:
            note = view.checkpoint().note
    except UnknownCheckpointError:
        raise NotFoundError from None
    return bytes_answer(note, media=_TEXT, cache=BRIEFLY)


@blueprint.get("/logs/<org>/<collection>/tile/<path:place>")
@operation(
    blueprint,
    "tile",
    tag="tiles",
    answers={200: Content("Hashes, or entries behind their lengths.", media=(_BYTES,))},
)
def tile(org: str, collection: str, place: str) -> Response:
    """Give a tile `<L>/<N>[.p/<W>]` of hashes, or an entry bundle `entries/<N>[.p/<W>]`."""
    here = service()
    log = here.public_log(org, collection)
    try:
        wanted = parse_tile_path(f"tile/{place}")
        with here.logs.view_number(log.id) as view:
            if wanted.level == ENTRIES:
                content = view.bundle(wanted.index, wanted.width)
            else:
                assert isinstance(wanted.level, int)
                content = view.read_tile(wanted.level, wanted.index, wanted.width)
    except (MalformedError, TileMissingError):
        raise NotFoundError from None
    return bytes_answer(content, media=_BYTES, cache=FOREVER)


@blueprint.get("/logs/<org>/<collection>/vkeys")
@operation(
    blueprint,
    "verifierKeys",
    tag="tiles",
    answers={
        200: Content(
            "C2SP verifier keys, one a line, Ed25519 first; after those of today, each behind a line that "
            "begins with #, those that were replaced and the sizes they speak for.",
            media=("text/plain",),
        )
    },
)
def vkeys(org: str, collection: str) -> Response:
    """Give the keys that sign the log's checkpoints."""
    here = service()
    with here.logs.view_number(here.public_log(org, collection).id) as view:
        *replaced, today = view.log.eras
    lines = [format_vkey(key) for key in today.vkeys]
    for era in reversed(replaced):
        lines.append(f"# sizes {era.from_size} to {era.to_size}, replaced since")
        lines += [format_vkey(key) for key in era.vkeys]
    return bytes_answer("".join(f"{line}\n" for line in lines).encode(), media=_TEXT, cache=BRIEFLY)
