"""`notarize`: record files by their digests."""

from __future__ import annotations

import json
import mimetypes
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from ledger_service.cli.output import json_option, say_json
from ledger_service.cli.remote import Remote, remote_options, required_key
from ledger_service.clock import SystemClock
from ledger_service.errors import UsageError
from ledger_service.government.datasets import parse_dataset
from ledger_service.proofs.canonical import encode, encode_base64url
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.receipt import parse_receipt

_PENDING: Final = 202
_RECORDED_BEFORE: Final = 200
_OF_ONE_FILE: Final = ("dataset_number", "title", "supersedes")


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger notarize city air-2026-q1.csv --dry-run\n"
    "  audit-ledger notarize city air-2026-q1.csv --source 'Station network' --key-file city.key\n"
    "  audit-ledger notarize city *.csv --publish-digest --licence CC-BY-4.0 --key-file city.key\n"
)
@click.argument("org")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--number", "dataset_number", help="Your own number of the data set; the file's name without.")
@click.option("--title", help="What the data set is called; the file's name without.")
@click.option("--source", help="Where the data come from.")
@click.option("--period", help="What time they are about, such as 2026-01-01/2026-03-31.")
@click.option("--licence", help="Under which licence they are, such as CC-BY-4.0.")
@click.option("--supersedes", help="Id of the record of the version before.")
@click.option("--publish-digest", is_flag=True, help="Make digest and size public, for everybody, for ever.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be recorded and what of it is public; send nothing."
)
@remote_options
@json_option
def notarize(
    org: str, *, files: tuple[str, ...], publish_digest: bool, dry_run: bool, url: str, key_file: str | None,
    as_json: bool, **words: str | None,
) -> None:  # fmt: skip
    """Record files as data sets by digest and size, and print the id of each record. The files go nowhere.

    The same file with the same words is recorded once, however often it is sent.
    """
    if len(files) > 1 and any(words[name] is not None for name in _OF_ONE_FILE):
        raise UsageError("--number, --title and --supersedes are about one file.")
    payloads = [_payload(Path(file), words, publish_digest=publish_digest) for file in files]
    if dry_run:
        told = [{"file": file, "payload": payload} for file, payload in zip(files, payloads, strict=True)]
    else:
        remote = Remote(url, required_key(key_file))
        told = [_send(remote, org, file, payload) for file, payload in zip(files, payloads, strict=True)]
    if as_json:
        say_json(told)
        return
    for each in told:
        click.echo(
            _in_words(each, publish_digest=publish_digest) if dry_run else f"{each['id']}  {each['file']}"
        )


def _payload(path: Path, words: dict[str, str | None], *, publish_digest: bool) -> dict[str, Any]:
    """The `dataset/v1` payload of a file; raises InvalidPayloadError where the words break the kind's rules."""
    with path.open("rb") as stream:
        digest = file_digest(stream, "sha256").digest()
        size = stream.tell()
    media = mimetypes.guess_type(path.name)[0]
    payload: dict[str, Any] = {
        "dataset_number": path.name,
        "title": path.name,
        "file_sha256": encode_base64url(digest),
        "size_bytes": size,
        **({"media_type": media} if media else {}),
        **{name: text for name, text in words.items() if text is not None},
        **({"publish_digest": True} if publish_digest else {}),
    }
    parse_dataset(payload, SystemClock().now())
    return payload


def _send(remote: Remote, org: str, file: str, payload: dict[str, Any]) -> dict[str, Any]:
    key = f"notarize-{sha256(encode(payload)).hexdigest()}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    path = f"/v1/orgs/{quote(org, safe='')}/datasets"
    code, answer = remote.post(path, json.dumps(payload).encode(), headers=headers)
    pending = code == _PENDING
    record = json.loads(answer)["id"] if pending else parse_entry(parse_receipt(answer).entry).claim.id
    return {"file": file, "id": record, "sha256": payload["file_sha256"], "before": code == _RECORDED_BEFORE}


def _in_words(told: dict[str, Any], *, publish_digest: bool) -> str:
    public = "digest and size" if publish_digest else "nothing of it"
    fields = "".join(f"\n  {name}: {value}" for name, value in sorted(told["payload"].items()))
    return f"Would notarize {told['file']}; public: {public}.{fields}"
