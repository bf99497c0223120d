"""Five files of public agencies, as the PyPI wheel vega_datasets carries them, and what is notarized of each.

The bytes that are hashed are the wheel's. The data are in the public domain and published anyway, so their
digests are published as well: anyone who has a file can look whether it is the one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.merkle import leaf_hash, tree_root_of

FOLDER = Path(__file__).resolve().parents[1] / ".data/vega_datasets/_data"
_NOAA = "National Oceanic and Atmospheric Administration"
_BLS = "U.S. Bureau of Labor Statistics, Current Employment Statistics"


@dataclass(frozen=True, slots=True)
class AgencyFile:
    """One CSV with a header, and the organization in whose name the demo notarizes it."""

    org: str
    name: str
    title: str
    source: str
    period: str | None = None

    def dataset(self, content: bytes | None = None, **more: object) -> dict[str, Any]:
        """The `dataset/v1` payload of the file, or of another `content` in its place.

        Rows are the lines below the header; `row_root` is the RFC 9162 root over them, without line ends.
        """
        data = (FOLDER / self.name).read_bytes() if content is None else content
        rows = data.splitlines()[1:]
        return {
            "dataset_number": self.name.removesuffix(".csv"),
            "title": self.title,
            "file_sha256": encode_base64url(sha256(data).digest()),
            "size_bytes": len(data),
            "rows": len(rows),
            "row_root": encode_base64url(tree_root_of([leaf_hash(row) for row in rows])),
            "media_type": "text/csv",
            "source": self.source,
            "licence": "public-domain",
            "publish_digest": True,
            **({"period": self.period} if self.period else {}),
            **more,
        }


WEATHER = AgencyFile(
    "noaa", "seattle-weather.csv", "Daily weather in Seattle", _NOAA, "2012-01-01/2015-12-31"
)
EMPLOYMENT = AgencyFile("bls", "us-employment.csv", "US employment by month", _BLS, "2006-01/2015-12")
FILES = (
    WEATHER,
    AgencyFile("noaa", "seattle-temps.csv", "Hourly temperatures in Seattle", _NOAA, "2010-01-01/2010-12-31"),
    AgencyFile(
        "noaa", "sf-temps.csv", "Hourly temperatures in San Francisco", _NOAA, "2010-01-01/2010-12-31"
    ),
    AgencyFile("faa", "airports.csv", "US airports with their codes", "OurAirports, subset of vega_datasets"),
    EMPLOYMENT,
)


def revised_employment() -> bytes:
    """The employment file without its last column, which the Bureau did not publish: the wheel's makers added it."""
    lines = (FOLDER / EMPLOYMENT.name).read_text(encoding="ascii").splitlines()
    return "".join(line.rpartition(",")[0] + "\n" for line in lines).encode("ascii")
