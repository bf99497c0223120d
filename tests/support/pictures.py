"""Pictures of pages made small: PNG with a palette, for they hold few colours."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from typing import Final

COLOURS: Final = 112


def reduce_palette(png: bytes) -> bytes:
    """The same picture in at most COLOURS colours."""
    with Image.open(io.BytesIO(png)) as picture:
        reduced = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    reduced.save(out, "PNG", optimize=True)
    return out.getvalue()
