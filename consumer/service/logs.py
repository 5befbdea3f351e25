"""One line for each event: JSON for machines, or text for a person at a terminal.

What a line is about stands in its fields, never in its message, and no field is a payload or a secret.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", ...fields}`; time in UTC with milliseconds."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        always = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line = always | fields_of(record) | always  # in this order, and no field in the place of one of them
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return visible(json.dumps(line, ensure_ascii=False, default=str))


class TextFormatter(logging.Formatter):
    """`12:00:01.234 WARNING message  field=value ...`"""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and the lines of an exception."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{clock}.{int(record.msecs):03d} {record.levelname:<7} {record.getMessage()}"
        fields = fields_of(record)
        if fields:
            line += "  " + " ".join(f"{name}={value}" for name, value in fields.items())
        lines = [line]
        if record.exc_info:  # set off, so that no line of it looks like one of ours
            lines += [f"    {text}" for text in self.formatException(record.exc_info).split("\n")]
        return "\n".join(map(visible, lines))


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def visible(text: str) -> str:
    """The text with escapes, as JSON has them, for whatever moves a cursor, turns the direction or breaks a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


class Scrubbed(logging.Formatter):
    """The lines of another formatter without any secret: what others said may repeat one."""

    def __init__(self, formatter: logging.Formatter, scrub: Callable[[str], str]) -> None:
        super().__init__()
        self._formatter = formatter
        self._scrub = scrub

    def format(self, record: logging.LogRecord) -> str:
        """The line, scrubbed."""
        return self._scrub(self._formatter.format(record))


def start(level: str, form: str, scrub: Callable[[str], str] = str) -> None:
    """Log to stderr: `level` as in LOG_LEVEL, `form` is `json` or `text`; `scrub` takes the secrets out of a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Scrubbed(JsonFormatter() if form == "json" else TextFormatter(), scrub))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("consumer").setLevel(level.upper())
    # The client repeats itself ten times a second while a broker is away; the client status says it once.
    logging.getLogger("consumer.librdkafka").setLevel(logging.DEBUG if level.lower() == "debug" else logging.CRITICAL)
