"""Three hundred ways to make a webhook reach into the network that sends it.

A payload is a URL and what its host resolves to: a list of answers, one for each time that it is asked (the
last is repeated), or None for what the machine's own resolver makes of it. `public` payloads may reach the
public listener, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC_V4: Final = "93.184.216.34"
PUBLIC_V6: Final = "2606:4700::1111"
HOST: Final = "hook.example.com"

INSIDE_V4: Final = (
    "127.0.0.1", "127.8.8.8", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.254",
    "100.64.0.1", "100.100.100.200", "100.127.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.254", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.254", "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.31.196.1", "192.52.193.1",
    "192.175.48.1",
)  # fmt: skip
INSIDE_V6: Final = (
    "::1", "::", "::127.0.0.1", "::10.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:7f00:1", f"::ffff:{PUBLIC_V4}", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", f"64:ff9b::{PUBLIC_V4}", "64:ff9b:1::a00:1", "100::1",
    "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:2::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2620:4f:8000::1", "3fff::1", "4000::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456:789a::1", "fe80::1", "fe80::1%lo", "febf::1",
    "fec0::1", "ff02::1", "ff05::2", "ff0e::1",
)  # fmt: skip
_TARGETS: Final = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0")


@dataclass(frozen=True, slots=True)
class Payload:
    """One try; `family` says which kind of trick it is."""

    family: str
    url: str
    answers: tuple[tuple[str, ...], ...] | None = None
    public: bool = False


def all_payloads() -> tuple[Payload, ...]:
    """Every payload, each URL with its answers once."""
    found = (
        *(Payload("notation of IPv4", f"https://{each}/") for each in _notations()),
        *(Payload("IPv6 literal", f"https://[{each}]/") for each in INSIDE_V6),
        *(Payload("user and separator", each) for each in _separators()),
        *(Payload("scheme", each) for each in _schemes()),
        *(Payload("IDN and Unicode", f"https://{each}/") for each in _unicode()),
        *(Payload("local name", f"https://{each}/") for each in _names()),
        *(Payload("port", f"https://{HOST}:{each}/", ((PUBLIC_V4,),)) for each in _ports()),
        *(
            Payload("resolves inside", f"https://{HOST}/", ((each,),))
            for each in (*INSIDE_V4, *INSIDE_V6, "", "nonsense", "2130706433", "0x7f000001", "127.1")
        ),
        *_rebinding(),
        *_redirects(),
    )
    # Zero looks alike in several notations.
    return tuple(dict.fromkeys(found))


def _notations() -> Iterator[str]:
    for target in _TARGETS:
        a, b, c, d = (int(each) for each in target.split("."))
        whole = a << 24 | b << 16 | c << 8 | d
        yield target
        yield f"{target}."
        yield str(whole)
        yield hex(whole)
        yield f"{a:#o}.{b:#o}.{c:#o}.{d:#o}".replace("0o", "0")
        yield f"{a:#x}.{b:#x}.{c:#x}.{d:#x}"
        yield f"{a}.{b << 16 | c << 8 | d}"
        yield f"{a:03}.{b:03}.{c:03}.{d:03}"
        yield str(whole + (1 << 32))
        yield f"%{ord(target[0]):02x}{target[1:]}"


def _separators() -> Iterator[str]:
    for inside in ("127.0.0.1", "169.254.169.254"):
        yield f"https://{HOST}@{inside}/"
        yield f"https://{HOST}:443@{inside}:443/"
        yield f"https://user:word@{inside}/"
        yield f"https://{inside}#@{HOST}/"
        yield f"https://{inside}?@{HOST}/"
        yield f"https://{inside};@{HOST}/"
        yield f"https://{HOST}\\@{inside}/"
        yield f"https://{inside}\\@{HOST}/"
        yield f"https://{HOST}%40{inside}/"
        yield f"https://{HOST}%2f@{inside}/"
        yield f"https:///{inside}/"
        yield f"https:{inside}/"
        yield f"https:/\\{inside}/"
        yield f"//{inside}/"
        yield f"https://{inside}\t/"
        yield f"https://{inside}\n.{HOST}/"
        yield f"https://{inside}\r\nHost: {HOST}/"
        yield f"https://{inside}\x00.{HOST}/"
        yield f"https://{inside}%00.{HOST}/"
        yield f" https://{inside}/"
        yield f"https://{inside},{HOST}/"
        yield f"https://{inside} {HOST}/"


def _schemes() -> Iterator[str]:
    yield f"http://{HOST}/"
    for scheme in ("http", "HTTP", "ftp", "gopher", "dict", "ldap", "ws", "wss", "unix", "jar:https"):
        yield f"{scheme}://127.0.0.1/"
    yield from ("file:///etc/passwd", "data:,x", "javascript:1", "https://", "https:", "")


def _unicode() -> Iterator[str]:
    yield from (
        "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1",  # noqa: RUF001  look-alikes
        "⑯⑨。②⑤④。⑯⑨｡②⑤④", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ", "lοcalhost",  # noqa: RUF001
        "loc\u00adalhost", "local\u200bhost", "localhost\u3002", "127.0.0.1\u2024nip.io", "host\u2025name",
        "\u202e1.0.0.721", "xn--localhost-.", "[::①]", "faß.example.com", "%6c%6f%63%61%6c%68%6f%73%74",
    )  # fmt: skip


def _names() -> Iterator[str]:
    yield from (
        "localhost", "LOCALHOST", "localhost.", "localhost:443", "localhost.localdomain", "ip6-localhost",
        "ip6-loopback", "intranet", "metadata", "kubernetes", "*.example.com", "-a.example.com", ".example.com",
        "a..example.com", "127.0.0.1.nip.io.", "", "[localhost]", "host_name.example.com",
    )  # fmt: skip


def _ports() -> Iterator[str]:
    yield from (
        "22",
        "25",
        "80",
        "6379",
        "8080",
        "8443",
        "0",
        "0443",
        "+443",
        "65536",
        "99999",
        "443:443",
        "-1",
    )


def _rebinding() -> Iterator[Payload]:
    outside = ((PUBLIC_V4,), (PUBLIC_V6,), (PUBLIC_V4, PUBLIC_V6))
    insides = (("127.0.0.1",), ("169.254.169.254",), ("10.0.0.1",), ("::1",), ("fd00:ec2::254",))
    for inside in insides:
        # The first answer is checked and used; whoever asked again before connecting would be inside.
        for first in outside:
            yield Payload("rebinding: public, then inside", f"https://{HOST}/", (first, inside), public=True)
        yield Payload("rebinding: inside, then public", f"https://{HOST}/", (inside, outside[0]))
        for mixed in ((*inside, PUBLIC_V4), (PUBLIC_V4, *inside), (PUBLIC_V6, *inside, PUBLIC_V4)):
            yield Payload("public and inside together", f"https://{HOST}/", (mixed,))


def _redirects() -> Iterator[Payload]:
    for status in (301, 302, 303, 307, 308):
        for target in ("http://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/"):
            path = f"redirect/{status}?to={target}"
            yield Payload("redirect", f"https://{HOST}/{path}".replace("[", "%5B").replace("]", "%5D"),
                          ((PUBLIC_V4,),), public=True)  # fmt: skip
