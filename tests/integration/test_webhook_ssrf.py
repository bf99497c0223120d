"""Webhooks do not reach into the network that sends them: 300 tries where every address has a listener."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ssrf_payloads import PUBLIC_V4, PUBLIC_V6

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def document() -> Any:
    """What the probe saw, in a network namespace of its own."""
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        sys.executable,
        "-m",
        "tests.support.ssrf_probe",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_payload_reaches_the_inside(document: Any) -> None:
    """No connection to any address but the public ones, and to those only where the payload names them."""
    assert len(document["payloads"]) >= 300
    for each in document["payloads"]:
        assert set(each["reached"]) <= ({PUBLIC_V4, PUBLIC_V6} if each["public"] else set()), each


def test_each_payload_is_resolved_at_most_once(document: Any) -> None:
    """What was checked is what is connected to: nobody asks a second time."""
    assert {each["asked"] for each in document["payloads"]} == {0, 1}


def test_no_redirect_is_followed(document: Any) -> None:
    """The status of a redirect is the end of an attempt."""
    redirects = [each for each in document["payloads"] if each["family"] == "redirect"]
    assert len(redirects) == 15
    assert all(each["outcome"].startswith("status 30") for each in redirects)


def test_the_listeners_would_have_seen_it(document: Any) -> None:
    """Real connections to the same addresses are seen, careless clients get inside, a good URL is delivered to."""
    control = document["control"]
    assert control["seen"] == control["connected"] > 50
    assert control["naive clients inside"] == 5
    assert "127.0.0.1" in control["followed redirects"]
    assert (control["public"]["outcome"], control["public"]["reached"]) == ("status 200", [PUBLIC_V4])
