"""What the kernel says of bytes that are not what they claim to be, as the pages translate it."""

from __future__ import annotations

from typing import Final

from api.web.languages import noted as _

THINGS: Final = (
    _("The evidence"),
    _("The receipt"),
    _("The entry"),
    _("The claim"),
    _("The opening"),
    _("The predecessor"),
    _("The schema"),
    _("The kind"),
    _("The status"),
    _("The status proof"),
    _("The previous head"),
    _("The block"),
    _("The trust file"),
    _("A status change"),
    _("A pointer"),
    _("A tag"),
    _("An author"),
    _("A kind"),
    _("A field name"),
    _("A key"),
    _("Keys"),
    _("An anchor"),
    _("A node"),
    _("A trusted log"),
    _("A trusted anchor"),
    _("A head key"),
    _("A step"),
)
"""Parts of documents, as sentences about their form name them; members that have no such name are told by their own."""

FORMAT_FIXED: Final = (
    *THINGS,
    _("The input is not in the format it claims."),
    # Canonical JSON.
    _("The input is not canonical JSON."),
    _("The JSON is not in canonical form, or a key is doubled."),
    _("The JSON is nested too deeply."),
    _("A string holds a lone surrogate."),
    _("An integer is outside +-(2^53 - 1)."),
    _("Only integers are numbers here."),
    _("A float has no canonical form."),
    _("An object key is not a string."),
    _("An object key is not made of a-z, 0-9 and _."),
    _("The text is not base64url without padding."),
    _("The text is not base64 in its one form."),
    _("A time must be in UTC and of whole seconds."),
    _("The text is not a time in UTC with Z and whole seconds."),
    # Evidence, entry, schema, status.
    _("The evidence is larger than 8 MiB."),
    _("The evidence is of an unknown version."),
    _("The receipt is of an unknown version."),
    _("The values are not an object."),
    _("The entry is of an unknown version."),
    _("The claim is of an unknown version."),
    _("The public fields are not an object."),
    _("The tags are not 16-byte values in ascending order, each once."),
    _("A hash of the claim is not 32 bytes long."),
    _("An entry of this kind needs a target."),
    _("The schema is of an unknown version."),
    _("The field names are not in ascending order, each once."),
    _("A field is both private and public."),
    _("The schema has no such private field."),
    _("A field is neither a leaf hash nor [salt, name, value]."),
    _("A private field is null: an absent one is a missing key."),
    _("A private field is not in the schema."),
    _("A kind without private fields has no commitment."),
    _("A status statement without proof says nothing."),
    _("The status is not the one its history has at as_of."),
    _("The status proof is of an unknown type."),
    _("The history does not begin with the record itself."),
    _("The history is not in the order of the log."),
    _("No status change is in force at the time of the statement."),
    _("A status change has an unknown state or a malformed reason."),
    # Proof, note, checkpoint, keys.
    _("The proof cannot be written down."),
    _("The head of the proof is not ASCII."),
    _("The proof has no index line, or a path of more than 64 hashes."),
    _("The note is not UTF-8."),
    _("The note is too large or holds a control character."),
    _("The note has no text, a blank line and 1 to 64 signature lines."),
    _("The note has two signatures by the same key."),
    _("A line below the text is not a signature line."),
    _("A signature is empty."),
    _("A checkpoint has exactly three lines: origin, size and root."),
    _("The origin is not 1 to 255 printable ASCII characters without space and plus."),
    _("A number is not a decimal from 0 to 2^63 - 1 in its one form."),
    _("A cosignature is cut short."),
    _("A cosignature's timestamp is from 1 to 2^63 - 1."),
    _("The text is not a verifier key."),
    _("The verifier key is of an unknown type."),
    _("The verifier key is of an unknown type or of the wrong length."),
    _("The verifier key's id does not belong to its name and key."),
    _("A key name is empty, too long, or holds a space, a plus or a control character."),
    # Two sizes of a log.
    _("The consistency proof does not connect the two tree heads."),
    _("The consistency proof is too long."),
    _("The consistency proof is too short."),
    _("The root of the empty tree is not SHA-256 of nothing."),
    # Policy and trust file.
    _("The policy cannot be written down."),
    _("The policy is not UTF-8."),
    _("The policy is too large, holds a control character or does not end in a newline."),
    _("A line of the policy is not understood."),
    _("The policy has no quorum line."),
    _("The policy defines a name twice, or the name none."),
    _("A group has a member that is doubled or not defined above it."),
    _("A name is a member of two groups."),
    _("A group's threshold is not all, any or a number of its members."),
    _("A key of the policy is of a type that cannot do this."),
    _("The policy lists a public key twice."),
    _("The trust file is of an unknown version."),
    _("The trust file repeats a log, or its required steps are not in order."),
    _("self_anchored is not a boolean."),
)
"""Sentences about forms that are always the same, whole."""

FORMAT_PATTERNS: Final = (
    (
        r"(?P<thing>[A-Za-z0-9_ ]+) is not an object with exactly the members (?P<names>[a-z0-9_, ]+)\.",
        _("%(thing)s is not an object with exactly the members %(names)s."),
    ),
    (
        r"(?P<thing>[A-Za-z0-9_ ]+) is not a list of at most (?P<most>[0-9]+) items\.",
        _("%(thing)s is not a list of at most %(most)s items."),
    ),
    (
        r"(?P<thing>[A-Za-z0-9_ ]+) is not text in the form it must have\.",
        _("%(thing)s is not text in the form it must have."),
    ),
    (
        r"(?P<thing>[A-Za-z0-9_ ]+) is not an integer from (?P<least>-?[0-9]+) to (?P<most>[0-9]+)\.",
        _("%(thing)s is not an integer from %(least)s to %(most)s."),
    ),
    (
        r"(?P<thing>[A-Za-z0-9_ ]+) is not (?P<size>[0-9]+) bytes long\.",
        _("%(thing)s is not %(size)s bytes long."),
    ),
    (
        r"Expected (?P<size>[0-9]+) bytes in (?P<form>base64(?:url)?), got (?P<found>[0-9]+)\.",
        _("Expected %(size)s bytes in %(form)s, got %(found)s."),
    ),
    (r"A (?P<type>\w+) has no canonical form\.", _("A %(type)s has no canonical form.")),
    (
        r"The entry is larger than (?P<most>[0-9]+) bytes\.",
        _("The entry is larger than %(most)s bytes."),
    ),
    (r"The claim's (?P<name>\w+) is not in its form\.", _("The claim's %(name)s is not in its form.")),
    (r"A schema has more than (?P<most>[0-9]+) fields\.", _("A schema has more than %(most)s fields.")),
    (r"A record salt has (?P<size>[0-9]+) bytes\.", _("A record salt has %(size)s bytes.")),
    (
        r"The schema has (?P<all>[0-9]+) private fields, (?P<found>[0-9]+) are stated\.",
        _("The schema has %(all)s private fields, %(found)s are stated."),
    ),
    (
        r"The schema has the field (?P<name>[a-z0-9_]+) at this place, not the one stated\.",
        _("The schema has the field %(name)s at this place, not the one stated."),
    ),
    (
        r"A tree of (?P<second>[0-9]+) entries cannot continue one of (?P<first>[0-9]+)\.",
        _("A tree of %(second)s entries cannot continue one of %(first)s."),
    ),
    (r"The text is not a (?P<form>c2sp\.org/\S+)\.", _("The text is not a %(form)s.")),
)
"""Sentences about forms that hold values, with the places for them; `verdict_sentences.py` says how they are named."""
