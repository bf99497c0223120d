"""An operator at the pages: a browser without scripts that keeps cookies and sends forms back as it got them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.http_ledger import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from tests.unit.api.conftest import Desk

LOCAL = "http://localhost"
ABROAD = "https://ledger.example"


@dataclass(slots=True)
class Operator:
    """A browser at one address of the ledger. `token` is what the last page's forms carried."""

    desk: Desk
    base: str = LOCAL
    client: FlaskClient = field(init=False)
    token: str = ""

    def __post_init__(self) -> None:
        """Begin without cookies."""
        self.client = self.desk.client.application.test_client()

    def see(self, path: str) -> TestResponse:
        """Open a page."""
        reply = self.client.get(path, base_url=self.base, headers={"Accept": "text/html"})
        found = re.search(r'name="token" value="([^"]+)"', reply.text)
        if found:
            self.token = found[1]
        return reply

    def send(
        self,
        path: str,
        form: Mapping[str, object] | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> TestResponse:
        """Send a form, with the token of the last page unless another is given."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        data = {"token": self.token if token is None else token, **(form or {})}
        return self.client.post(path, data=data, base_url=self.base, headers=named)

    def sign_in(self, key: str | None = None) -> TestResponse:
        """Open the form that signs in and send it with the shop's key, or with another."""
        self.see("/home")
        return self.send("/home/sign-in", {"key": self.desk.key if key is None else key})

    def cookie(self) -> str:
        """The token that the browser holds, empty without one."""
        for name in ("ledger-local", "__Host-ledger"):
            held = self.client.get_cookie(name, domain=self.base.partition("://")[2])
            if held is not None:
                return held.decoded_value
        return ""


def wait_for(desk: Desk, record: str) -> None:
    """Return when a record is published."""
    until(lambda: True if desk.service.archive.state(record).index is not None else None)
