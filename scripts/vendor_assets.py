"""Copy the libraries that pages load from npm's packages into api/web/static/vendor, with hashes and licences.

`--check` writes nothing and fails when what is there is not what would be written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from api.web.assets import ROOT, integrity_of

MODULES: Final = Path(__file__).resolve().parents[1] / "node_modules"
VENDOR: Final = ROOT / "vendor"
LIST: Final = VENDOR / "vendor.json"
# Package, file in it, its licence's file.
FILES: Final = (
    ("@picocss/pico", "css/pico.min.css", "LICENSE.md"),
    ("htmx.org", "dist/htmx.min.js", "LICENSE"),
    ("uplot", "dist/uPlot.iife.min.js", "LICENSE"),
    ("uplot", "dist/uPlot.min.css", "LICENSE"),
)


def wanted() -> dict[str, bytes]:
    """What must stand below VENDOR, by name."""
    found: dict[str, bytes] = {}
    listed = []
    for package, file, licence in FILES:
        about = json.loads((MODULES / package / "package.json").read_text(encoding="utf-8"))
        content = (MODULES / package / file).read_bytes()
        name = Path(file).name
        short = package.rpartition("/")[2].removesuffix(".org")
        found[name] = content
        found[f"{short}.LICENSE.txt"] = (MODULES / package / licence).read_bytes()
        listed.append(
            {
                "file": name,
                "package": package,
                "version": about["version"],
                "licence": about["license"],
                "integrity": integrity_of(content),
            }
        )
    found[LIST.name] = json.dumps(listed, indent=2).encode() + b"\n"
    return found


def main(words: list[str]) -> int:
    """Write or check the files; returns the exit code."""
    files = wanted()
    if "--check" in words:
        present = {path.name: path.read_bytes() for path in VENDOR.iterdir()}
        print("Vendored files are fresh." if present == files else "Vendored files are stale.")
        return int(present != files)
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (VENDOR / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
