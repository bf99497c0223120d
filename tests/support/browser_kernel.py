"""The browser's kernel in a real browser, without a server: its files come from this tree, at http://localhost."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Page, Route

STATIC = Path(__file__).parents[2] / "api" / "web" / "static"
_QUESTIONS = Path(__file__).with_name("browser_kernel.js")
# Browsers call this origin secure, as they do https, so that WebCrypto is there.
_ORIGIN = "http://localhost"
_PAGE = '<!doctype html><title>kernel</title><script type="module" src="/questions.js"></script>'


class RefusedError(Exception):
    """The browser's kernel refused; `code` is the error's, as in ledger_service/errors."""

    def __init__(self, code: str, text: str) -> None:
        """Keep code and words."""
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True)
class BrowserKernel:
    """A page that holds the kernel and answers the questions of browser_kernel.js."""

    page: Page

    def ask(self, noun: str, question: object) -> Any:
        """The answer to one question; raises RefusedError."""
        answer = self.ask_all(noun, [question])[0]
        if "code" in answer:
            raise RefusedError(answer["code"], answer["text"])
        return answer["answer"]

    def ask_all(self, noun: str, questions: Sequence[object]) -> list[dict[str, Any]]:
        """The answers to many questions, each `{"answer": …}` or `{"code": …, "text": …}`."""
        answers: list[dict[str, Any]] = self.page.evaluate(
            "([noun, questions]) => ask(noun, questions)", [noun, list(questions)]
        )
        return answers


@contextmanager
def open_kernel(browser: Browser) -> Iterator[BrowserKernel]:
    """A page with the kernel loaded."""
    context = browser.new_context()
    try:
        context.route("**/*", _answer)
        page = context.new_page()
        page.goto(f"{_ORIGIN}/")
        page.wait_for_function("globalThis.ask !== undefined")
        yield BrowserKernel(page)
    finally:
        context.close()


def _answer(route: Route) -> None:
    path = urlsplit(route.request.url).path
    if path == "/":
        route.fulfill(body=_PAGE, content_type="text/html")
    elif path == "/questions.js":
        route.fulfill(path=_QUESTIONS, content_type="text/javascript")
    else:
        route.fulfill(path=STATIC / path.removeprefix("/static/"), content_type="text/javascript")
