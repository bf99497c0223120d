"""Make api/web/static/noble, SHA-256 and ML-DSA-44 for the browser, from the packages that package-lock.json pins.

    python -m scripts.bundle_noble [--check]

`--check` writes nothing and fails when what is there is not what would be written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
MODULES: Final = ROOT / "node_modules"
FOLDER: Final = ROOT / "api" / "web" / "static" / "noble"
PACKAGES: Final = ("@noble/hashes", "@noble/curves", "@noble/post-quantum")
# Only what a verifier uses: the bundler leaves the rest out, key generation and signing included.
ENTRY: Final = """
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
export { sha256 } from "@noble/hashes/sha2.js";
export function mldsa44Verify(signature, message, publicKey) {
  try { return ml_dsa44.verify(signature, message, publicKey); } catch { return false; }
}
"""
OPTIONS: Final = ("--bundle", "--minify", "--format=esm", "--legal-comments=none", "--target=es2022")


def wanted() -> dict[str, bytes]:
    """What must stand in FOLDER, by name."""
    about = {name: json.loads((MODULES / name / "package.json").read_text("utf-8")) for name in PACKAGES}
    versions = {name: each["version"] for name, each in about.items()}
    title = ", ".join(f"{name} {version}" for name, version in versions.items())
    made = subprocess.run(
        [MODULES / ".bin" / "esbuild", *OPTIONS, f"--banner:js=// {title}. MIT, see LICENSE.txt."],
        input=ENTRY.encode(),
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(made).digest()).decode()}"
    listed = {"file": "noble.js", "packages": versions, "licence": "MIT", "integrity": integrity}
    licences = [f"{name}\n\n{(MODULES / name / 'LICENSE').read_text('utf-8')}" for name in PACKAGES]
    return {
        "noble.js": made,
        "noble.json": json.dumps(listed, indent=2).encode() + b"\n",
        "LICENSE.txt": "\n".join(licences).encode(),
    }


def main() -> int:
    """Write or check the files; returns the exit code."""
    files = wanted()
    if "--check" in sys.argv[1:]:
        fresh = {path.name: path.read_bytes() for path in FOLDER.iterdir()} == files
        print("The bundle is fresh." if fresh else "The bundle is stale: run python -m scripts.bundle_noble")
        return 0 if fresh else 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
