"""What verdicts say, in the reader's language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api.web.sentences import FIXED, PATTERNS, translate_sentence
from api.web.words import WORDS
from tests.support.verdict_talk import (
    in_language,
    mutant_verdicts,
    sample_verdicts,
    sentences_of,
    source_sentences,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Collection

# Three words in a row that are no names.
_ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
# The pages say these more plainly than the kernel, in English as well.
_PLAINER = re.compile(
    r"Step \d|.* \(\w+\), |The field \w+ is not|The time: self-anchored|The policy names no key|proven to a",
    re.DOTALL,
)


def untranslated(sentences: Collection[str]) -> dict[str, str | None]:
    """The sentences that do not come out in Chinese, with what comes out."""
    with in_language("zh"):
        said = {sentence: translate_sentence(sentence) for sentence in sentences}
    return {
        sentence: text
        for sentence, text in said.items()
        if text is None or _ENGLISH.search(text.replace("Acme Incorporated", "")) or "%(" in text
    }


def test_every_sentence_of_the_kernel_is_translated() -> None:
    """Whatever the verifier's source raises with, a reader of Chinese gets in Chinese."""
    sentences = source_sentences()
    assert len(sentences) > 120
    assert untranslated(sentences) == {}


def test_every_kind_of_verdict_is_translated() -> None:
    """Passing steps, every state, by log and contract, and what could not be checked."""
    verdicts = list(sample_verdicts())
    assert {verdict.result for verdict in verdicts} >= {"valid", "invalid", "unknown", "revoked", "suspended"}
    assert untranslated(set().union(*map(sentences_of, verdicts))) == {}


def test_verdicts_on_damaged_evidence_are_translated(rng: random.Random) -> None:
    """So is what is said of evidence that is damaged in every way."""
    sentences = set().union(*map(sentences_of, mutant_verdicts(rng, 400)))
    assert len(sentences) > 60
    assert untranslated(sentences) == {}


def test_english_stays_the_kernels() -> None:
    """In English a sentence reads as the verifier said it, but for the few that the pages say more plainly."""
    sentences = set().union(*map(sentences_of, sample_verdicts())) | source_sentences()
    with in_language("en"):
        said = {sentence: translate_sentence(sentence) for sentence in sentences}
    assert {
        sentence: text for sentence, text in said.items() if text != sentence and not _PLAINER.match(sentence)
    } == {}


def test_a_reason_is_told_in_words() -> None:
    """A code for which people have a word is told by it, within several sentences as well."""
    detail = (
        "revoked since 2026-01-02T03:05:15Z (key_compromise), signed by a.example/logs/x/y/status as of size 9 at"
        " 2026-01-02T03:05:35Z. Log and contract disagree (revoked in the log, active in the contract): the worse"
        " counts. read at block 7 of chain 1: nothing was said about the record"
    )
    with in_language("zh"):
        said = translate_sentence(detail)
    assert said is not None
    places = [
        said.index(words) for words in ("已撤销", "密钥泄露", "签名", "合约中有效", "没有关于此记录的记载")
    ]
    assert places == sorted(places)
    assert not _ENGLISH.search(said)
    with in_language("en"):
        assert translate_sentence(detail) == detail.replace(
            "key_compromise", WORDS["reason"]["key_compromise"]
        )


def test_what_is_not_known_is_not_translated_in_part() -> None:
    """One unknown sentence leaves all of them in English, and a flood of known ones ends."""
    with in_language("zh"):
        for text in (
            "No such words.",
            "No node was asked. No such words.",
            "The chain could not be read: No such words.",
            "No node was asked. " * 5_000,
            "The chain could not be read: " * 5_000,
            "",
            "constructor",
        ):
            assert translate_sentence(text) is None


def test_no_sentence_is_listed_twice() -> None:
    """Each has one place."""
    assert len(set(FIXED)) == len(FIXED)
    assert len({pattern for pattern, _ in PATTERNS}) == len(PATTERNS)
