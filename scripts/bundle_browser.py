"""Bundle what the browser's verifier takes from npm into api/web/static, from the packages that package-lock.json pins.

    python -m scripts.bundle_browser [--check]

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
STATIC: Final = ROOT / "api" / "web" / "static"
# Folder: the packages, and what of them is exported. The bundler leaves the rest out, key generation and signing too.
BUNDLES: Final = {
    "noble": (
        ("@noble/hashes", "@noble/curves", "@noble/post-quantum"),
        """
        import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
        export { sha256 } from "@noble/hashes/sha2.js";
        export function mldsa44Verify(signature, message, publicKey) {
          try { return ml_dsa44.verify(signature, message, publicKey); } catch { return false; }
        }
        """,
    ),
    "hash-wasm": (("hash-wasm",), 'export { createSHA256 } from "hash-wasm";'),
}
_OPTIONS: Final = ("--bundle", "--minify", "--format=esm", "--legal-comments=none", "--target=es2022")


def wanted(name: str) -> dict[str, bytes]:
    """What must stand in the folder of a bundle, by name."""
    packages, entry = BUNDLES[name]
    about = {each: json.loads((MODULES / each / "package.json").read_text("utf-8")) for each in packages}
    versions = {each: found["version"] for each, found in about.items()}
    title = ", ".join(f"{each} {version}" for each, version in versions.items())
    made = subprocess.run(
        [MODULES / ".bin" / "esbuild", *_OPTIONS, f"--banner:js=// {title}. MIT, see LICENSE.txt."],
        input=entry.encode(),
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(made).digest()).decode()}"
    listed = {"file": f"{name}.js", "packages": versions, "licence": "MIT", "integrity": integrity}
    licences = [f"{each}\n\n{(MODULES / each / 'LICENSE').read_text('utf-8')}" for each in packages]
    return {
        f"{name}.js": made,
        f"{name}.json": json.dumps(listed, indent=2).encode() + b"\n",
        "LICENSE.txt": "\n".join(licences).encode(),
    }


def main() -> int:
    """Write or check the files; returns the exit code."""
    stale = False
    for name in BUNDLES:
        files, folder = wanted(name), STATIC / name
        folder.mkdir(parents=True, exist_ok=True)
        if "--check" in sys.argv[1:]:
            fresh = {path.name: path.read_bytes() for path in folder.iterdir()} == files
            stale = stale or not fresh
            print(f"{name} is {'fresh' if fresh else 'stale: run python -m scripts.bundle_browser'}.")
        else:
            for file, content in files.items():
                (folder / file).write_bytes(content)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
