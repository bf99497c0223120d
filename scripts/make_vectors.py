"""Write the format vectors that follow from the code into tests/vectors; `--check` compares instead."""

from __future__ import annotations

import json
import sys

from tests.support.format_vectors import VECTORS, make_vectors


def main() -> int:
    """Write the files, or name those that differ and return 1."""
    differing = []
    for name, content in make_vectors().items():
        text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
        if "--check" not in sys.argv:
            (VECTORS / name).write_text(text, "utf-8")
        elif (VECTORS / name).read_text("utf-8") != text:
            differing.append(name)
    print("\n".join(differing) or "The vectors are what the code makes.")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
