"""What a verdict can say, of the verifier and of whoever asked a chain for it, as the pages translate it.

The kernel speaks English alone, and its sentences are the same in Python and in the browser. Here each is known by its
words. In a pattern the name of a group says what stands there:

    clause                   sentences again, translated in their turn
    status, state,           a code, for which `words.py` has what people call it
    reason, grade
    thing                    a part of a document, or the name of a member, which is shown as it is
    end                      whether a full stop follows, which Chinese always sets
    any other                what is shown as it is: a number, a time, a key's name
"""

from __future__ import annotations

from typing import Final

from api.web.languages import noted as _

VERDICT_FIXED: Final = (
    # What was found.
    _("The evidence, its entry and its checkpoint are each in their one form."),
    _("The kind has no private fields."),
    _("The EIP-712 line is the head key's."),
    _(
        "Order, self-anchored: the operator runs this chain, so it gives order and tamper evidence to those who kept a"
        " checkpoint, not independent time."
    ),
    _("The file is the one that the record is about."),
    _("Every required step passed."),
    _("The record's validity period is over at the asked date."),
    # What is not proven.
    _("When the entry was accepted: `accepted` is the operator's claim."),
    _("Who presents this: the evidence is a bearer document, and anyone who has it can show it."),
    _("How many entries the log has, and that their bytes are available: neither log nor chain proves it."),
    _("Nothing bounds from below when the entry was made: the anchor is not later than an earlier head."),
    _("The checkpoint's EIP-712 line could not be checked."),
    _("The contract's own status could not be read."),
    _("Who signed the claim: the trust file names no author keys."),
    # What could not be checked.
    _("The check could not be made."),
    _("The evidence does not parse."),
    _("No private fields are shown."),
    _("The kernel has no Keccak."),
    _("This browser cannot check Ed25519 signatures here."),
    _("The kernel cannot check signatures of this type."),
    _("The checkpoint is not signed by a log key that the policy names."),
    _("The evidence has no anchor; made again later, it may have one."),
    _("Anchored by the evidence's own word, stated only."),
    _("Its chain, contract and log id are not pinned in the trust file."),
    _("No node was asked."),
    _("The evidence has no status statement, and silence is not a status."),
    _("The record had no status yet at the asked time."),
    _("The status statement has not read the log as far as this entry."),
    _("The status statement needs a node, and none was asked or could answer."),
    _("The status statement is not signed, and its proof needs a node."),
    _("The status statement is signed by an unknown key."),
    _("The status is unsigned, and the contract holds no change: silence is not a status."),
    _("The trust file names no status key of this log."),
    _("The trust file does not know this log, so nobody says who the issuer is."),
    # What the chain says, or why it says nothing.
    _("The contract has not accepted a head that holds this record."),
    _("The node has not come as far as the anchor's block."),
    _("The chain's node does not answer."),
    _("The chain's node did not answer a moment ago."),
    _("The chain's node refuses the request."),
    _("The chain could not do what was asked."),
    _("The node's answer is not a JSON-RPC answer."),
    _("The node's answer has neither a result nor an error."),
    _("The node answered with another block than the one asked for."),
    _("The node answered with events that were not asked for."),
    _("The node does not tell the event of a head that the contract holds."),
    _("The node has no block 0."),
    _("The node has no newest block."),
    _("The embedded chain was never started here: run `audit-ledger serve`."),
    _("The block that was being read is no longer part of the chain."),
    _("The node serves another chain than the one that was pinned. Anchoring has stopped."),
    _("The contract's code is not the code that was pinned. Anchoring has stopped."),
    _("The contract refuses the call."),
    _("The chain does not hold the anchor that the evidence states."),
    _("The block does not hold the anchor's transaction."),
    _("The chain has another block at the anchor's height."),
    _("The chain holds other code at the contract's address."),
    _("The chain holds another head before the anchor."),
    _("The anchor's block has another time."),
    _("The anchor's header is not its block's."),
    _("The contract holds a status of another record at this place in the log."),
    # What contradicts.
    _("Two parts of the evidence contradict each other."),
    _("The schema is not the one that the entry names."),
    _("The entry has public fields that its schema does not name."),
    _("The entry has a commitment exactly when its kind has private fields."),
    _("Fields are shown that the kind does not have."),
    _("The disclosed fields do not belong to this entry."),
    _("The checkpoint is of another log than the entry."),
    _("The checkpoint is another log's."),
    _("An opening stands elsewhere than at index 0."),
    _("The entry is not the opening of its own log."),
    _("The inclusion proof does not lead to the checkpoint's root."),
    _("The inclusion proof is too long."),
    _("The inclusion proof is too short."),
    _("A hash of the proof is not 32 bytes long."),
    _("A signature does not verify."),
    _("A key signed the checkpoint that does not speak for its size."),
    _("The checkpoint is not signed as the policy demands."),
    _("The checkpoint is not signed by this key."),
    _("The checkpoint is not cosigned by this key."),
    _("The note is not signed by this key."),
    _("The signature is not r and s with s in the lower half."),
    _("The verifier key is not an Ed25519 key."),
    _("The verifier key is not an Ed25519 cosignature key."),
    _("The verifier key is not an ML-DSA-44 key."),
    _("The verifier key is not of the EIP-712 type."),
    _("The verifier key is not a point of secp256k1."),
    _("The anchor is of another size or root than the checkpoint."),
    _("The anchor's time is not that of its block."),
    _("The head before the anchor is not earlier and smaller."),
    _("The status is another record's."),
    _("Status and checkpoint state different roots for the same size: the log is forked."),
    _("The entry names another organization than the trust file does for this log."),
    _("The file is not the one that the record is about."),
)
"""Sentences of a verdict that are always the same, whole."""

VERDICT_PATTERNS: Final = (
    (
        r"(?P<shown>[0-9]+) of (?P<all>[0-9]+) private fields are shown; they open the commitment\.",
        _("%(shown)s of %(all)s private fields are shown; they open the commitment."),
    ),
    (r"Leaf (?P<leaf>[\w-]+)\.", _("Leaf %(leaf)s.")),
    (r"Entry (?P<index>[0-9]+) of (?P<size>[0-9]+)\.", _("Entry %(index)s of %(size)s.")),
    (r"Signed by (?P<name>\S+), cosigned by nobody\.", _("Signed by %(name)s, cosigned by nobody.")),
    (
        r"Signed by (?P<name>\S+), cosigned by (?P<names>\S+(?:, \S+)*)\.",
        _("Signed by %(name)s, cosigned by %(names)s."),
    ),
    (
        r"Lines by keys that neither policy nor trust file names, not checked: (?P<count>[0-9]+)\.",
        _("Lines by keys that neither policy nor trust file names, not checked: %(count)s."),
    ),
    (
        r"(?P<grade>proven by a node now|proven to a block hash you pinned): (?P<clause>.+)",
        _("%(grade)s: %(clause)s"),
    ),
    (
        r"block (?P<number>[0-9]+) of chain (?P<chain>[0-9]+) holds it, (?P<depth>-?[0-9]+) blocks deep",
        _("block %(number)s of chain %(chain)s holds it, %(depth)s blocks deep"),
    ),
    (r"The chain could not be read: (?P<clause>.+)", _("The chain could not be read: %(clause)s")),
    (
        r"(?P<status>[a-z]+) since (?P<time>\S+) \((?P<reason>[a-z0-9_]+)\), (?P<clause>.+)",
        _("%(status)s since %(time)s (%(reason)s), %(clause)s"),
    ),
    (
        r"(?P<status>[a-z]+) since (?P<time>\S+) in the contract: (?P<clause>.+)",
        _("%(status)s since %(time)s in the contract: %(clause)s"),
    ),
    (
        r"signed by (?P<name>\S+) as of size (?P<size>[0-9]+) at (?P<time>[0-9TZ:-]+)(?P<end>\.?)",
        _("signed by %(name)s as of size %(size)s at %(time)s%(end)s"),
    ),
    (r"as the contract holds it: (?P<clause>.+)", _("as the contract holds it: %(clause)s")),
    (
        r"read at block (?P<number>[0-9]+) of chain (?P<chain>[0-9]+): nothing was said about the record(?P<end>\.?)",
        _("read at block %(number)s of chain %(chain)s: nothing was said about the record%(end)s"),
    ),
    (
        r"read at block (?P<number>[0-9]+) of chain (?P<chain>[0-9]+), reason (?P<code>[0-9]+)(?P<end>\.?)",
        _("read at block %(number)s of chain %(chain)s, reason %(code)s%(end)s"),
    ),
    (
        (
            r"Log and contract disagree \((?P<status>[a-z]+) in the log, (?P<state>[a-z]+) in the contract\):"
            r" the worse counts\."
        ),
        _("Log and contract disagree (%(status)s in the log, %(state)s in the contract): the worse counts."),
    ),
    (
        r"Issued by (?P<name>.+) \((?P<org>[a-z0-9-]+)\), as the trust file says\.",
        _("Issued by %(name)s (%(org)s), as the trust file says."),
    ),
    (r"Valid until (?P<time>\S+)\.", _("Valid until %(time)s.")),
    (r"The record is valid only from (?P<time>\S+)\.", _("The record is valid only from %(time)s.")),
    (
        r"The record is (?P<status>[a-z]+) at the asked date\.",
        _("The record is %(status)s at the asked date."),
    ),
    (
        r"The status is the operator's word as of (?P<time>\S+)\.",
        _("The status is the operator's word as of %(time)s."),
    ),
    (
        r"The status statement is from the future, (?P<time>\S+)\.",
        _("The status statement is from the future, %(time)s."),
    ),
    (
        r"The status statement of (?P<time>\S+) is older than the trust file allows, (?P<seconds>[0-9]+) s\.",
        _("The status statement of %(time)s is older than the trust file allows, %(seconds)s s."),
    ),
    (
        (
            r"The entry says it was accepted at (?P<time>\S+), which lies outside the interval of its anchor by more"
            r" than (?P<seconds>[0-9]+) s\."
        ),
        _(
            "The entry says it was accepted at %(time)s, which lies outside the interval of its anchor by more than"
            " %(seconds)s s."
        ),
    ),
    (
        r"The field (?P<name>[a-z0-9_]+) is not shown\.",
        _("The field %(name)s is not shown. Ask whoever holds the record for evidence that shows it."),
    ),
    (
        r"The policy names no key of the log (?P<log>\S+)\.",
        _("This server keeps no log %(log)s, so it knows none of its keys."),
    ),
    (
        r"The checkpoint is not cosigned by the quorum (?P<name>\S+)\.",
        _("The checkpoint is not cosigned by the quorum %(name)s."),
    ),
    (
        r"A tree of (?P<size>[0-9]+) entries has no index (?P<index>[0-9]+)\.",
        _("A tree of %(size)s entries has no index %(index)s."),
    ),
    (
        r"The time: self-anchored: .*",
        _(
            "The time: the operator runs this chain, so it gives order and tamper evidence to those who kept a"
            " checkpoint, not independent time."
        ),
    ),
    (
        r"Step (?P<number>[0-9]) \(.*?\), which the trust file does not require: (?P<clause>.+)",
        _("Check %(number)s, which was not required, could not be made: %(clause)s"),
    ),
    (
        r"Step (?P<number>[0-9]) \(.*?\), which the trust file does not require: .*",
        _("Check %(number)s, which was not required, could not be made."),
    ),
    (r"Step (?P<number>[0-9]) \(.*?\) failed: (?P<clause>.+)", _("Check %(number)s failed: %(clause)s")),
    (
        r"Step (?P<number>[0-9]) \(.*?\) could not be checked: (?P<clause>.+)",
        _("Check %(number)s could not be made: %(clause)s"),
    ),
)
"""Sentences of a verdict that hold values, with the places for them."""
