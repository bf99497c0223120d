"""The README is run as a newcomer would run it: every block, in order, in one shell, in an empty folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_first_record_works_as_written(tmp_path: Path) -> None:
    """Who follows the README records a purchase, proves it, and has it verified offline as genuine."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [language for language, _ in blocks] == ["bash", "bash", "bash", "python"]
    port = free_port()
    commands = [
        f"python - <<'PYTHON'\n{block}PYTHON\n" if language == "python" else block
        for language, block in blocks
    ]
    script = "set -eu -o pipefail\n" + "\n".join(commands).replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AUDIT_LEDGER_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        shell.wait(timeout=120)
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
    said = shell.communicate(timeout=60)[0]
    assert shell.returncode == 0, said + "\n" + (tmp_path / "serve.log").read_text(encoding="utf-8")
    assert "Genuine" in said
    assert "valid some fields" in said


def test_links_lead_somewhere() -> None:
    """Every relative link in the project's pages points to something that exists."""
    pages = [
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "hardhat-free-local-chain.md")
    ]
    pages += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "ledger_service").rglob("README.md"))
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
