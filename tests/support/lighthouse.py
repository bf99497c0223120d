"""Lighthouse, fetched from npm: what it gives a page."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import Any, Final

from tests.support.browser import CHROMIUM

LIGHTHOUSE: Final = "lighthouse@13.5.0"
CATEGORIES: Final = ("performance", "accessibility", "best-practices")
# Now and then the browser starts too slowly for it, and it says so and asks to be run again.
_ATTEMPTS: Final = 3


def score(url: str, cookie: str, *, preset: tuple[str, ...]) -> list[int]:
    """What Lighthouse gives a page, out of 100, in the order of CATEGORIES; raises RuntimeError."""
    command = ["npm", "exec", "--yes", f"--package={LIGHTHOUSE}", "--", "lighthouse", url, "--quiet", *preset]
    command += ["--output=json", "--chrome-flags=--headless=new --no-sandbox"]
    command += [f"--only-categories={','.join(CATEGORIES)}"]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as headers:
        # The session's token stays out of the list of processes.
        json.dump({"Cookie": cookie} if cookie else {}, headers)
        headers.flush()
        command.append(f"--extra-headers={headers.name}")
        environment = {**os.environ, "CHROME_PATH": str(CHROMIUM)}
        for _ in range(_ATTEMPTS):
            run = subprocess.run(command, check=False, capture_output=True, env=environment)
            if run.returncode == 0:
                found: dict[str, Any] = json.loads(run.stdout)["categories"]
                return [round(100 * found[name]["score"]) for name in CATEGORIES]
    raise RuntimeError(f"Lighthouse ended with {run.returncode}: {run.stderr[-2_000:].decode()}")
