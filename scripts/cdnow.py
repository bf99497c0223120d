"""The CDNOW purchases of 1997-98: 69,659 real orders of 23,570 customers, read from the unpacked wheel.

Fader and Hardie's data set, as the PyPI wheel Lifetimes (MIT) carries it. A row is customer, date, units and
US dollars; it has no time of day, so noon stands for the day, and no order numbers, so the line gives one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = Path(__file__).resolve().parents[1] / ".data/lifetimes/datasets/CDNOW_master.txt"
ROWS = 69_659


def read_purchases(path: Path = PATH) -> Iterator[dict[str, Any]]:
    """Each row as a `purchase/v1` payload."""
    if not path.exists():
        raise SystemExit(f"{path.name} is missing; `make demo` unpacks it")
    with path.open(encoding="ascii") as lines:
        next(lines)
        for number, line in enumerate(lines, 1):
            customer, day, units, dollars = line.split()
            whole, _, cents = dollars.partition(".")
            amount = int(whole) * 100 + int(cents.ljust(2, "0"))
            yield {
                "buyer": f"cdnow-{customer}",
                "items": [{"sku": "cd", "quantity": int(units), "amount_minor": amount}],
                "amount_minor": amount,
                "currency": "USD",
                "order_number": f"{day}-{number:06d}",
                "channel": "web",
                "paid_at": f"{day[:4]}-{day[4:6]}-{day[6:]}T12:00:00Z",
            }
