"""Lets webhooks try to reach into the network that sends them, in a network namespace, and writes a report.

    python -m scripts.campaign_ssrf

Every address of the namespace, of IPv4 and IPv6, has listeners. Exit code 1: something inside was reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.campaign_report import Report, write_report

PAGE = Path("docs/campaigns/ssrf.md")
NAMESPACE = ("unshare", "--user", "--map-root-user", "--net")


def main() -> int:
    """Run the probe and write the page."""
    began = time.monotonic()
    probe = [*NAMESPACE, sys.executable, "-m", "tests.support.ssrf_probe"]
    document = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)
    tried, control = document["payloads"], document["control"]
    inside = [each for each in tried if each["reached"] and not each["public"]]
    table = [("family", "payloads", "refused by the URL", "refused by the address", "connections inside")]
    for family, number in Counter(each["family"] for each in tried).items():
        mine = [each for each in tried if each["family"] == family]
        ends = Counter(each["outcome"] for each in mine)
        reached = sum(each in inside for each in mine)
        words = (ends["URL refused"], ends["The host has no public address."], reached)
        table.append((family, str(number), *map(str, words)))
    report = Report(
        title="Webhooks reaching inside",
        command="python -m scripts.campaign_ssrf",
        took_s=time.monotonic() - began,
        figures={
            "payloads": len(tried),
            "connections to the inside": len(inside),
            "most look-ups of a name in one attempt": max(each["asked"] for each in tried),
            "control: connections made to inside addresses, and seen": f"{control['connected']}, {control['seen']}",
            "control: careless clients that got inside": f"{control['naive clients inside']} of 5",
            "control: a good URL": control["public"]["outcome"],
        },
        table=table,
        notes=[f"Reached: {each['url']!r} {each['reached']}" for each in inside]
        or [
            "What was refused by neither went to a public address, where a listener stood as well: the first answer",
            "of a resolver that changes its mind, and redirects, none of which was followed.",
        ],
    )
    write_report(PAGE, report)
    return int(bool(inside))


if __name__ == "__main__":
    sys.exit(main())
