"""What a running service says: one line of JSON for each event, whoever says it, on standard error.

JSON escapes whatever a request brought in, so that nobody can write a line of their own into the log.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, Final

import orjson
import structlog

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_events(level: str) -> None:
    """Let structlog and the standard library write alike; call it once, at the start of a process that serves."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dump)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_dump_text),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.root.handlers = [handler]
    # Libraries are heard from warnings on: web3 and urllib3 tell every call.
    logging.root.setLevel(max(_LEVELS[level], logging.WARNING))


class _Lines(structlog.BytesLogger):
    """Writes lines to standard error, and goes on without one that cannot be written.

    The disk that a line would tell of may be the one that the line would go to: whoever says that it failed must
    come to the next step, which is to end the process.
    """

    def __init__(self, *_: object) -> None:
        """Write to standard error, whatever is asked for."""
        super().__init__(sys.stderr.buffer)

    def msg(self, message: bytes) -> None:
        """Write one line if it can be written."""
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = error = critical = fatal = exception = msg


def _dump(event: Any, **_: object) -> bytes:
    return orjson.dumps(event, default=repr)


def _dump_text(event: Any, **_: object) -> str:
    return _dump(event).decode()
