"""With the key-encryption key gone while serving, contents are unavailable for now, and everything else goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.app import create_app
from ledger_service.accounts.scopes import Scope
from ledger_service.vault.kek_ring import KekRing
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.wrapping import KeyEncryptionKey
from ledger_service.wiring import build
from ledger_service.wiring.installation import install, load_key_wrapper
from tests.support.http_ledger import purchase, until
from tests.unit.api.conftest import Desk, problem_of, settings_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("others_rewrapped", [False, True])
def test_proofs_go_on_without_the_key(tmp_path: Path, *, others_rewrapped: bool) -> None:
    """A lost file changes nothing for the process that read it; keys under a key it lacks answer 503, proofs 200."""
    settings = settings_in(tmp_path)
    install(settings)
    present = load_key_wrapper(settings)
    with build(settings) as service:
        service.create_organization("shop", name="The Shop")
        key = service.api_keys.issue(service.organizations.find("shop"), scopes=set(Scope), label="test")
        desk = Desk(service, create_app(service).test_client(), key, [])
        service.start()
        until(lambda: service.readiness() if service.readiness().ready else None)
        made = desk.record(purchase("one"), name="one").headers["Record-Id"]
        settings.kek_path.unlink()
        if others_rewrapped:
            unknown = KeyEncryptionKey.from_bytes(b"\x07" * 32, generation=2)
            with service.database.write("vault.rewrap") as conn:
                assert Keyring(KekRing([*present._keys.values(), unknown])).rewrap(conn, after=0, limit=99)
        wanted = 503 if others_rewrapped else 200
        for path in ("payload", "receipt", "evidence?fields=all"):
            reply = desk.get(f"/v1/records/{made}/{path}", key=key)
            assert reply.status_code == wanted
            assert not others_rewrapped or problem_of(reply)["code"] == "key_unavailable"
        assert desk.record(purchase("two"), name="two").status_code == (503 if others_rewrapped else 201)
        evidence = desk.get(f"/v1/records/{made}/evidence")
        assert evidence.status_code == 200
        assert service.judge.judge(evidence.data).result == "valid"
        assert desk.get(f"/v1/records/{made}").status_code == 200
        assert desk.get("/logs/shop/purchases/checkpoint").status_code == 200
        assert service.readiness().ready
