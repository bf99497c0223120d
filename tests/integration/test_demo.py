"""`make demo` with few rows: every verdict as expected, and the commands that it ends with work."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = ("valid", "refunded", "revoked", "superseded", "invalid")


def test_the_demo_tells_its_story_and_its_commands_work(tmp_path: Path) -> None:
    """A newcomer sees each change caught, types the three commands, and stops the server with Ctrl-C."""
    command = [sys.executable, "-u", "-m", "scripts.demo", "--rows", "60", "--folder", str(tmp_path / "demo")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        lines = []
        try:
            for line in demo.stdout:
                lines.append(line)
                if "stop it with Ctrl-C" in line:
                    break
            said = "".join(lines)
            assert [ending for ending in ENDINGS if ending not in said] == [], said
            assert "The contents of 6 purchases are destroyed" in said
            assert "410 The contents of this record are gone." in said
            commands = re.findall(r"^  ((?:curl|\S*audit-ledger) (?:.*\\\n)*.*)$", said, re.MULTILINE)
            state, found, verdict = (_answer(each) for each in commands)
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
    assert json.loads(state)["status"] == "revoked"
    assert "refunded" in found
    assert verdict.startswith("Genuine: valid")
    assert "The file is the one that the record is about." in verdict


def _answer(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
