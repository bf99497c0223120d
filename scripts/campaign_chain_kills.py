"""Kill the embedded chain at random moments: python -m scripts.campaign_chain_kills [ROUNDS] [SEED].

Prints what was done and found, and writes it to docs/campaigns/chain-kills.md. Ends with 1 if anything was lost.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.chain_kills import run_kills

REPORT = Path(__file__).parents[1] / "docs/campaigns/chain-kills.md"
PAGE = """# Embedded chain: kill -9

`python -m scripts.campaign_chain_kills {rounds} {seed}` on {date}, {minutes:.0f} minutes.

A node whose clock runs a thousand times too fast makes blocks without a pause, is used over HTTP and killed at a random
moment, a fifth of the times within its first 100 ms. After each kill the file is opened as a restarted node opens it,
the whole chain is checked (`--check`), and every receipt that any client ever saw is compared with the stored one.

| what | number |
|---|---|
{rows}
"""


def main() -> int:
    """Run the campaign."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().getrandbits(32)  # noqa: PLR2004
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = run_kills(Path(folder), rounds=rounds, rng=random.Random(seed))  # noqa: S311  the seed makes it repeatable
    rows = [
        f"| {name.replace('_', ' ')} | {value} |" for name, value in found.summary().items() if name != "lost"
    ]
    rows.append(f"| receipts or blocks lost | {len(found.lost)} |")
    minutes = (time.monotonic() - started) / 60
    page = PAGE.format(
        rounds=rounds, seed=seed, date=datetime.now(UTC).date(), minutes=minutes, rows="\n".join(rows)
    )
    REPORT.write_text(page, encoding="utf-8")
    print(page)
    print(*found.lost, sep="\n")
    return 1 if found.lost else 0


if __name__ == "__main__":
    sys.exit(main())
