"""The script of /verify translates what a verdict says as the pages of the server do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from api.web.sentences import translate_sentence
from api.web.verify_words import verify_words
from tests.support.browser_kernel import STATIC
from tests.support.verdict_talk import (
    in_language,
    mutant_verdicts,
    sample_verdicts,
    sentences_of,
    source_sentences,
)

if TYPE_CHECKING:
    import random

    from playwright.sync_api import Browser, Route

ORIGIN = "http://localhost"
HOSTILE = (
    "",
    "constructor",
    "__proto__ is not 7 bytes long.",
    "No such words.",
    "No node was asked. No such words.",
    "No node was asked. " * 5_000,
    "The chain could not be read: " * 5_000,
    "active since x (constructor), signed by a/status as of size 1 at 2026-01-02T03:05:35Z",
)


def test_browser_and_server_translate_alike(browser: Browser, rng: random.Random) -> None:
    """Every sentence of many verdicts, and hostile ones, come out equal in both languages, or are known to neither."""
    verdicts = [*sample_verdicts(), *mutant_verdicts(rng, 200)]
    sentences = [*sorted(set().union(*map(sentences_of, verdicts)) | source_sentences()), *HOSTILE]
    for code in ("en", "zh"):
        with in_language(code):
            expected = [translate_sentence(sentence) for sentence in sentences]
            words = json.dumps(verify_words())
        found = translate_in(browser, words, sentences)
        differing = {
            sentence: (here, there)
            for sentence, here, there in zip(sentences, expected, found, strict=True)
            if here != there
        }
        assert differing == {}


def translate_in(browser: Browser, words: str, sentences: list[str]) -> list[str | None]:
    """What the page's script makes of sentences, with these words in its page."""

    def answer(route: Route) -> None:
        if route.request.url.endswith("/words.js"):
            route.fulfill(path=STATIC / "verify" / "words.js", content_type="text/javascript")
        else:
            held = f'<script type="application/json" id="verify-words">{words}</script>'
            route.fulfill(body=f"<!doctype html><title>words</title>{held}", content_type="text/html")

    context = browser.new_context()
    try:
        context.route("**/*", answer)
        page = context.new_page()
        page.goto(f"{ORIGIN}/")
        translated: list[str | None] = page.evaluate(
            "async (all) => { const { translate } = await import('/words.js'); return all.map(translate); }",
            sentences,
        )
    finally:
        context.close()
    return translated
