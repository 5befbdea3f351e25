"""What a schema says of a type beyond its kind: that a long is a timestamp, that bytes are a decimal.

Avro's own word for it is `logicalType`; Kafka Connect writes `connect.name` with `connect.parameters`, and Debezium
that alone. An annotation decides nothing about how bytes are read. It may not fit the kind it stands at, so whoever
uses it looks at both.
"""

from typing import Final, final

# Vocabularies that say what a value means; any other `connect.name` is only the name of somebody's schema.
CONNECT_PREFIXES: Final = ("org.apache.kafka.connect.data.", "io.debezium.")
# A number that is one of these is a date, a time of day or a point in time, and not a quantity.
TIMES: Final = frozenset(
    (
        "date",
        "time-millis",
        "time-micros",
        "time-nanos",
        "timestamp-millis",
        "timestamp-micros",
        "timestamp-nanos",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "local-timestamp-nanos",
        "org.apache.kafka.connect.data.Date",
        "org.apache.kafka.connect.data.Time",
        "org.apache.kafka.connect.data.Timestamp",
        "io.debezium.time.Date",
        "io.debezium.time.Time",
        "io.debezium.time.MicroTime",
        "io.debezium.time.NanoTime",
        "io.debezium.time.Timestamp",
        "io.debezium.time.MicroTimestamp",
        "io.debezium.time.NanoTimestamp",
    )
)


@final
class Annotation:
    """One annotation. `logical` and `connect` are as written, empty where absent; `name` is the one that counts.

    `precision` and `scale` are those of a decimal; 0 where the schema does not say.
    """

    __slots__ = ("connect", "logical", "name", "precision", "scale")

    def __init__(self, logical: str, connect: str, precision: int, scale: int) -> None:
        self.logical = logical
        self.connect = connect
        self.name = connect if connect.startswith(CONNECT_PREFIXES) or not logical else logical
        self.precision = precision
        self.scale = scale

    def __str__(self) -> str:
        return f"{'logicalType' if self.name == self.logical else 'connect.name'} {self.name}"


def annotation_of(schema: dict[str, object]) -> Annotation | None:
    """The annotation that this JSON object, a type or a field, carries; None where it carries none."""
    logical = text_in(schema, "logicalType")
    connect = text_in(schema, "connect.name")
    if not logical and not connect:
        return None
    found = schema.get("connect.parameters")
    parameters: dict[str, object] = found if isinstance(found, dict) else {}
    precision = number_in(schema, "precision", number_in(parameters, "connect.decimal.precision", 0))
    scale = number_in(schema, "scale", number_in(parameters, "scale", 0))
    return Annotation(logical, connect, precision, scale)


def is_time(annotation: Annotation) -> bool:
    """Whether a number with this annotation stands for a date, a time of day or a point in time."""
    return annotation.logical in TIMES or annotation.connect in TIMES


def text_in(schema: dict[str, object], name: str) -> str:
    """The text of this name; empty where there is none."""
    found = schema.get(name)
    return found if isinstance(found, str) else ""


def number_in(schema: dict[str, object], name: str, default: int) -> int:
    """The integer of this name, which Connect's parameters give as text."""
    found = schema.get(name)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    if isinstance(found, str):
        try:
            return int(found)
        except ValueError:
            return default
    return default
