"""What a running service says: one line of JSON for each event, whoever says it, on standard error.

JSON escapes whatever a request brought in, so that nobody can write a line of their own into the log.
"""

from __future__ import annotations

import logging
import sys
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
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
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


def _dump(event: Any, **_: object) -> bytes:
    return orjson.dumps(event, default=repr)


def _dump_text(event: Any, **_: object) -> str:
    return _dump(event).decode()
