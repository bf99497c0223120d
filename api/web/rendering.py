"""A page: a template in the reader's language, under a policy that lets nothing run but our own files."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from flask import Response, g, render_template, request
from jinja2 import StrictUndefined
from markupsafe import Markup

from api.web.assets import load_assets
from api.web.languages import ENGLISH, LANGUAGES, PARAMETER, chosen, gettext, language, ngettext
from api.web.sentences import cause_of, translate_sentence
from api.web.verify_words import verify_words
from api.web.words import WORDS, format_number, show_when

if TYPE_CHECKING:
    from apiflask import APIFlask

# A page may be shown again at once, but a cache asks first whether it still holds.
_AGAIN: Final = "private, no-cache"


def prepare(app: APIFlask) -> None:
    """Give the templates of `app` what they use."""
    environment = app.jinja_env
    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.add_extension("jinja2.ext.i18n")
    # The extension adds this method when it is loaded; its stubs know nothing of it.
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"when": show_when, "number": format_number, "sentence": _sentence}
    environment.globals |= {
        "asset": _asset,
        "cause_of": cause_of,
        "preload": _preload,
        "script": _script,
        "stylesheet": _stylesheet,
        "link": link,
        "here": here,
        "language": language,
        "languages": LANGUAGES.values(),
        "verify_words": _verify_words,
        "word": _word,
    }


def page(template: str, *, status: int = 200, cache: str | None = _AGAIN, **context: object) -> Response:
    """The page as an answer. Without `cache` nobody may keep it: it shows what is somebody's own."""
    g.nonce = secrets.token_urlsafe(18)
    response = Response(
        render_template(template, nonce=g.nonce, **context), status=status, mimetype="text/html"
    )
    response.headers["Content-Security-Policy"] = _policy(g.nonce)
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cache-Control"] = cache or "no-store"
    response.vary.update(("Accept-Language", "Cookie", "HX-Request"))
    return response


def link(path: str, **query: object) -> str:
    """The address of one of our pages, in the language that this one was asked in."""
    spoken = chosen_quietly()
    asked = {name: value for name, value in query.items() if value not in {None, ""}}
    if spoken is not None:
        asked[PARAMETER] = spoken
    return f"{path}?{urlencode(asked)}" if asked else path


def here(code: str) -> str:
    """The address of this page in another language."""
    asked = {name: value for name, value in request.args.items() if name != PARAMETER}
    return f"{request.path}?{urlencode({**asked, PARAMETER: code})}"


def chosen_quietly() -> str | None:
    """The language that the address names, if there is such a one: an error page must not fail over it."""
    asked = request.args.get(PARAMETER)
    return asked if asked in LANGUAGES else None


def check_language() -> None:
    """Raise BadRequestError when the address names a language that there is not."""
    chosen()


def _policy(nonce: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "object-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            "worker-src 'self'",
            "connect-src 'self'",
            # Pico draws its arrows and ticks with images inside its own style sheet.
            "img-src 'self' data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _sentence(text: str) -> Markup:
    """A sentence from below in the reader's language, or, marked as English, as it came."""
    # Messages of errors are in the catalogue, though no page keeps a list of them.
    said = translate_sentence(text) or (gettext(text) if text else text)
    if said == text and language() != ENGLISH:
        return Markup('<span lang="{}">{}</span>').format(ENGLISH.tag, text)
    return Markup("{}").format(said)


def _verify_words() -> Markup:
    """The words of the verifier as JSON for a script element, in letters rather than escapes, which take double."""
    text = json.dumps(verify_words(), ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704 - nothing in it can end the element


def _asset(name: str) -> str:
    return load_assets().url(name)


def _script(name: str, *, module: bool = False) -> Markup:
    """A script of ours, which the browser runs only if it is the file that we mean."""
    assets = load_assets()
    kind = Markup(' type="module"') if module else Markup(" defer")
    return Markup('<script src="{}" integrity="{}" nonce="{}"{}></script>').format(
        assets.url(name), assets.find(name).integrity, g.nonce, kind
    )


def _preload(name: str) -> Markup:
    """Ask for all the modules of a script at once, rather than for each when its importer has come."""
    assets = load_assets()
    return Markup("").join(
        Markup('<link rel="modulepreload" href="{}" integrity="{}" nonce="{}">').format(
            assets.url(each.name), each.integrity, g.nonce
        )
        for each in assets.modules(name)
    )


def _stylesheet(name: str) -> Markup:
    assets = load_assets()
    return Markup('<link rel="stylesheet" href="{}" integrity="{}" nonce="{}">').format(
        assets.url(name), assets.find(name).integrity, g.nonce
    )


def _word(kind: str, code: object) -> str:
    """What people call a code, such as a stage; the code itself where there is no word for it."""
    known = WORDS[kind].get(str(code))
    return str(code) if known is None else gettext(known)
