"""Log lines with fields: JSON for machines (ansible-operator's own keys), readable on a terminal.

Nothing here looks inside a field: whoever logs decides what may be seen, and never passes task
arguments or the content of objects.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

Encoder = Literal["json", "console"]

_FIELDS = "fields"
_LEVEL_NAMES = {logging.WARNING: "warn", logging.CRITICAL: "error"}


class Log:
    """A named log whose lines all carry the same fields."""

    def __init__(self, name: str, fields: Mapping[str, Any] | None = None) -> None:
        self._logger = logging.getLogger(f"wrapper_runner.{name}")
        self._fields = dict(fields or {})
        self._name = name

    def bind(self, **fields: Any) -> Log:
        return Log(self._name, {**self._fields, **fields})

    def debug(self, message: str, **fields: Any) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._write(logging.INFO, message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, mistake: Exception, **fields: Any) -> None:
        """An error with its traceback, for what is a mistake of this program."""
        self._write(logging.ERROR, message, fields, mistake)

    def _write(
        self,
        level: int,
        message: str,
        fields: Mapping[str, Any],
        mistake: Exception | None = None,
    ) -> None:
        extra = {_FIELDS: {**self._fields, **fields}}
        # The message is not a format string: it may quote a CR that contains per cent signs.
        self._logger.log(level, "%s", message, extra=extra, exc_info=mistake)


def start(level: str, encoder: Encoder | None, stream: TextIO = sys.stderr) -> None:
    """Send everything to `stream`; without an `encoder`, a terminal gets the readable form."""
    chosen = encoder or ("console" if stream.isatty() else "json")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonFormatter() if chosen == "json" else _ConsoleFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # urllib3 warns of every retried connection; whoever made the request logs the outcome, once.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("wrapper_runner").setLevel(level.upper())


def _level(record: logging.LogRecord) -> str:
    return _LEVEL_NAMES.get(record.levelno, record.levelname.lower())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = dict(getattr(record, _FIELDS, {}))
    if record.exc_info:
        fields["stacktrace"] = logging.Formatter().formatException(record.exc_info)
    return fields


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "level": _level(record),
            "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "logger": record.name.removeprefix("wrapper_runner."),
            "msg": record.getMessage(),
            **_fields(record),
        }
        return json.dumps(line, default=str)


class _ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        fields = _fields(record)
        stacktrace = fields.pop("stacktrace", "")
        namespace, name = fields.pop("namespace", ""), fields.pop("name", "")
        subject = "/".join(part for part in (namespace, name) if part)
        head = f"{moment:%H:%M:%S} {_level(record):<5} "
        pairs = "".join(f"  {key}={_plain(value)}" for key, value in fields.items())
        text = f"{head}{subject + ': ' if subject else ''}{record.getMessage()}{pairs}"
        return f"{text}\n{stacktrace}" if stacktrace else text


def _plain(value: Any) -> str:
    text = str(value)
    # Text from elsewhere must not be able to draw on the terminal or to fake a second line.
    return text if text.isprintable() and " " not in text else json.dumps(text)
