"""What pages load: each file by an address that names its content, and with a hash that the browser checks.

An address holds a digest over all files, so that it may be kept for ever, and so that modules find each other by
relative names. An older address still answers, with what the file is now and for a moment only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import posixpath
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from ledger_service.errors import NotFoundError

ROOT: Final = Path(__file__).parent / "static"
_MEDIA: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
_IMPORT: Final = re.compile(rb'^(?:import|export|\} from)\b[^;"]*"(\.[^"]+)";$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. `integrity` is what HTML calls so (SRI, SHA-384)."""

    name: str
    media: str
    integrity: str
    content: bytes = field(repr=False)
    packed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file, read once."""

    version: str
    files: dict[str, Asset]

    def find(self, name: str) -> Asset:
        """The file of this name; raises NotFoundError."""
        try:
            return self.files[name]
        except KeyError:
            raise NotFoundError from None

    def url(self, name: str) -> str:
        """The address of a file that is there."""
        return f"/static/{self.version}/{self.find(name).name}"

    def modules(self, name: str) -> list[Asset]:
        """The scripts that a module needs besides itself, however far down, each once."""
        found: dict[str, Asset] = {}
        waiting = [self.find(name)]
        while waiting:
            asset = waiting.pop()
            for target in _IMPORT.findall(asset.content):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(asset.name), target.decode()))
                if path != name and path not in found:
                    found[path] = self.find(path)
                    waiting.append(found[path])
        return [found[path] for path in sorted(found)]


def integrity_of(content: bytes) -> str:
    """The SHA-384 of a file as HTML writes it."""
    return f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"


@cache
def load_assets() -> Assets:
    """Read every file below `static`."""
    files = {}
    whole = hashlib.sha256()
    for path in sorted(path for path in ROOT.rglob("*") if path.suffix in _MEDIA):
        name = path.relative_to(ROOT).as_posix()
        content = path.read_bytes()
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
        files[name] = Asset(
            name, _MEDIA[path.suffix], integrity_of(content), content, gzip.compress(content, mtime=0)
        )
    return Assets(whole.hexdigest()[:16], files)
