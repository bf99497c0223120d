"""How the node's process ends, so that its supervisor knows whether starting it again can help."""

from __future__ import annotations

from typing import Final

STOPPED: Final = 0
# It could not go on: an I/O error, a full disk while making the file, a port taken. Starting again may help.
FAILED: Final = 70
# The file, the key or an option is wrong. Starting again cannot help. (EX_CONFIG of sysexits.h)
CONFIGURATION: Final = 78
