"""Structured logs: one JSON object a line, with the ids of what it is about, and never a text, an address or a name of a person."""

import logging
import sys
from typing import Any, Final

import structlog

from models.platform.tracing import add_trace_id

_FIRST: Final = ("timestamp", "level", "event")


def configure(level: str) -> None:
    """Send everything, libraries included, to standard output as JSON lines.

    Our own lines go there directly: by way of the standard library's logging each costs twice as much, 30 instead of 15 microseconds.
    """
    logging.basicConfig(level=level, handlers=[_libraries()], force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.access", "aiosqlite"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*_SHARED, *_WRITTEN],
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )


def _libraries() -> logging.Handler:
    output = logging.StreamHandler(sys.stdout)
    before: list[structlog.typing.Processor] = [structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *_SHARED]
    after: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_WRITTEN]
    output.setFormatter(structlog.stdlib.ProcessorFormatter(processors=after, foreign_pre_chain=before))
    return output


def _arranged(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """When, how bad and what come first: ``sort`` brings the lines of several processes into the order of time, and an eye finds them.

    Ids are strings, as in the API: what reads JSON's numbers as doubles would round a Snowflake.
    """
    first = {name: line.pop(name) for name in _FIRST if name in line}
    return first | {name: _told(name, value) for name, value in line.items()}


def _told(name: str, value: Any) -> Any:
    return str(value) if type(value) is int and (name == "id" or name.endswith("_id")) else value


_SHARED: Final[tuple[structlog.typing.Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    add_trace_id,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)
_WRITTEN: Final[tuple[structlog.typing.Processor, ...]] = (_arranged, structlog.processors.JSONRenderer())
