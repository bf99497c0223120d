"""JSON-RPC with the standard library alone, so that tests ask a node without the code under test."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JsonRpc:
    """A node at a URL."""

    url: str

    def call(self, method: str, *parameters: object) -> Any:
        """One call; raises RuntimeError with the node's words when it answers with an error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.loads(response.read())
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def number(self, method: str, *parameters: object) -> int:
        """One call whose answer is a quantity."""
        return int(self.call(method, *parameters), 16)

    def block_hash(self, number: int) -> str:
        """The hash of the canonical block at that height."""
        return str(self.call("eth_getBlockByNumber", hex(number), False)["hash"])  # noqa: FBT003 - JSON-RPC's order
