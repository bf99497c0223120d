"""The words that the verifier in the browser needs, in the reader's language, as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api.web.languages import gettext
from api.web.languages import noted as _
from api.web.sentences import CODES, FIXED, JOINT, PATTERNS
from api.web.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS: Final = (
    "people", "result", "next", "scope", "step", "meaning", "outcome", "status", "stage", "kind", "grade",
    "reason",
)  # fmt: skip
_PAGE: Final[Mapping[str, str]] = {
    "evidence": _("Evidence"),
    "receipt": _("Receipt"),
    "policy": _("Policy"),
    "trust": _("Trust file"),
    "file": _("File"),
    "digest": _("Digest"),
    "pasted": _("as pasted"),
    "record_here": _("of record %(id)s, from this server"),
    "remove": _("Remove"),
    "remove_part": _("Remove %(part)s %(name)s"),
    "nothing": _("Drop a file, or paste what you have."),
    "not_recognised": _(
        "This is neither evidence nor a receipt, a link to a record, its id, or a SHA-256. If it was evidence once, it"
        " is not any more: even a space makes another document of it."
    ),
    "is_certificate": _(
        "This is a certificate of erasure: it says that contents were destroyed. It is no evidence of a record."
    ),
    "other_server": _("That record is kept by %(host)s. Open its page there, or bring its evidence here."),
    "no_record": _("This server keeps no record %(id)s."),
    "need_evidence": _(
        "The digest of your file is known now. Which record should it belong to? Bring its evidence, or paste the"
        " record's link."
    ),
    "need_trust": _("The policy is here; bring the trust file as well."),
    "need_policy": _("The trust file is here; bring the policy as well."),
    "need_anything": _("Policy and trust file are here. Now bring evidence, a record's link, or a file."),
    "hashing": _("Hashing %(name)s here in your browser."),
    "progress": _("%(name)s: %(done)s of %(size)s MB"),
    "cancelled": _("Cancelled. Nothing was sent, and nothing is kept."),
    "unreadable": _("The file could not be read to its end: %(reason)s"),
    "checking": _("Checking."),
    "unreachable": _("This server could not be asked. With evidence, policy and trust file it need not be."),
    "refused": _("This cannot be checked."),
    "defect": _("The page failed, and gives no answer. Please check with the offline verifier."),
    "checked_here": _("Checked in this browser at %(time)s."),
    "other_file": _(
        "The record is about another file. If you opened and saved yours, or converted it, its bytes are others even"
        " where it looks the same: try the copy that you were given."
    ),
    "inside": _("inside %(name)s"),
    "paper": _(
        "This is about the evidence inside the PDF, and not about what the PDF shows, which anyone can draw: compare it"
        " with the fields below."
    ),
    "fresh_status": _(
        "The evidence did not say what the status is by now, so the signed status was asked from this server and"
        " checked here."
    ),
    "trust_own": _("Checked with the policy and the trust file that you brought."),
    "trust_server": _(
        "Policy and trust file came from this server, which is the one under audit: this shows that the record agrees"
        " with the server's keys, not whose keys they are. Compare the fingerprints with ones from elsewhere, or bring"
        " the two files yourself."
    ),
    "trust_nobody": _(
        "Nobody told this page which keys to believe: this server keeps no such log. Bring the policy and the trust"
        " file of the log, from the organization itself."
    ),
    "fingerprints": _("Fingerprints"),
    "about": _("What it is about"),
    "kind": _("Kind"),
    "issuer": _("Recorded by"),
    "unknown_issuer": _("unknown here"),
    "accepted": _("Accepted, as the operator says"),
    "place": _("Place in the log"),
    "entry": _("entry %(index)s"),
    "log": _("Log"),
    "interval": _("Made between, as the evidence states"),
    "between": _("%(after)s and %(before)s (%(grade)s)"),
    "no_lower_bound": _("an unknown earlier time"),
    "steps": _("The eight checks, one by one"),
    "not_proven": _("What this does not prove"),
    "server_says": _("What this server says now"),
    "server_word": _(
        "The operator's own word, asked by the record's id alone; it is no part of the verdict above."
    ),
    "status": _("Status"),
    "stage": _("Stage"),
    "anchor": _("Anchor"),
    "permanent": _("Permanent link to the record"),
    "save_verdict": _("Save this verdict (JSON)"),
    "save_evidence": _("Save the evidence (JSON)"),
    "report": _("Signed report of this server"),
    "report_pdf": _("Signed report (PDF)"),
    "report_json": _("Signed report (JSON)"),
    "report_sends": _(
        "This server checks the evidence itself and signs what it finds. For that the evidence goes to it, with the"
        " fields that it shows; your file does not, so the report says nothing of it."
    ),
    "report_ready": _("Save %(name)s"),
    "report_asking": _("The server is asked for its report."),
    "report_large": _("That evidence shows too much for a report of this server, or for one on paper."),
    "report_busy": _("This server has too much to do at the moment, or cannot sign. Please ask again later."),
    "is_report": _(
        "This is a signed report of a verification: the word of the server that made it. To check the record itself"
        " bring its evidence; `audit-ledger report` checks the signature."
    ),
}


def verify_words() -> dict[str, Any]:
    """Words by kind and code, fixed sentences of the kernel, and patterns of those that hold values."""
    kinds: dict[str, Mapping[str, str]] = {"page": _PAGE, **{kind: WORDS[kind] for kind in _KINDS}}
    return {
        "words": {
            kind: {code: gettext(text) for code, text in texts.items()} for kind, texts in kinds.items()
        },
        "sentences": {sentence: gettext(sentence) for sentence in FIXED},
        # Both languages write patterns alike but for the names of groups.
        "patterns": [[pattern.replace("(?P<", "(?<"), gettext(message)] for pattern, message in PATTERNS],
        "codes": CODES,
        "joint": gettext(JOINT),
    }
