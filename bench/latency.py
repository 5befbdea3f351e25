"""From produce to accepted, at some rates and at what can just be kept up with."""

import io
import sys
import time
from typing import Any, Final

import fastavro
from confluent_kafka import Producer

from bench import workload as workloads
from bench.processes import cpu_of, until
from bench.rig import Contestant, Result, Rig, counts

EVENTS: Final = 200_000  # of the drain; with fewer of them all is shorter
RATES: Final = {
    1_000: (40.0, 20),
    5_000: (10.0, 100),
    20_000: (10.0, 100),
}  # seconds, and one event in so many is timed
SATURATION: Final = 0.9  # of the rate at which a backlog was drained
SATURATED: Final = (5.0, 100)
SLICE: Final = 0.01


def run(built: Rig, events: int) -> dict[str, Any]:
    """Milliseconds, requests a second and CPU seconds for a million events, at each rate."""
    drained = built.drain(Contestant(built.load("mixed", events)))
    found: dict[str, Any] = {}
    for rate, (seconds, timed) in {**RATES, int(SATURATION * drained.rate): SATURATED}.items():
        kept = steady(built, rate, seconds * events / EVENTS, timed)
        found[f"{rate:,} events/s"] = {
            "p50": at(kept.waits, 0.5),
            "p99": at(kept.waits, 0.99),
            "requests": kept.requests / kept.seconds,
            "cpu": kept.cpu_a_million,
        }
        print(f"{rate:,} events/s", found[f"{rate:,} events/s"], file=sys.stderr, flush=True)
    return found


def steady(built: Rig, rate: int, seconds: float, timed: int) -> Result:
    """Produce at a rate, with one event in so many timed from there to Mixpanel's answer."""
    source = list(workloads.events("mixed", int(rate * seconds), built.schema_id, seed=2))
    load = built.filled("steady", ())
    with built.started(Contestant(load)) as running:
        producer = built.producer(linger_ms=10)
        producer.produce(load.name, source[0][1])
        producer.flush(60)
        until(lambda: counts(running.stub)["requests"] > 0)  # it has joined and knows the schema
        began, cpu_before = time.time(), cpu_of(running.process.pid)
        produce(producer, load.name, rate, source, timed, built.schema_id)
        producer.flush(60)
        load.events += 1 + len(source)
        built.settled(running, load)
        return built.result(running, len(source), cpu_before, began)


def produce(
    producer: Producer, topic: str, rate: int, source: list[tuple[str, bytes]], timed: int, schema_id: int
) -> None:
    """So many events a second, in slices; one in so many says when it was made."""
    began = time.time()
    for written, (key, value) in enumerate(source):
        if written % timed == 0:
            key, value = marked(schema_id, written)
        producer.produce(topic, value, key=key)
        ahead = written / rate - (time.time() - began)
        if ahead > SLICE:
            producer.poll(ahead)


def marked(schema_id: int, number: int) -> tuple[str, bytes]:
    """An event that says when it was made."""
    event = {
        "event_id": str(number),
        "occurred_at": 0,
        "project": None,
        "group_key": "company",
        "group_id": f"timed-{number}",
        "operation": "SET",
        "properties": {"sent_at": int(time.time() * 1e6)},
        "property_names": [],
    }
    written = io.BytesIO()
    written.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(written, workloads.SCHEMA, event)
    return f"company:timed-{number}", written.getvalue()


def at(values: list[float], share: float) -> float:
    """The percentile, in milliseconds."""
    return values[min(len(values) - 1, int(len(values) * share))] * 1000 if values else 0.0


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """What is asked of a thousand events a second."""
    row = found["1,000 events/s"]
    return {
        "p50 at 1,000 events/s, ms": row["p50"],
        "p99 at 1,000 events/s, ms": row["p99"],
        "requests a second at 1,000 events/s": row["requests"],
        "CPU s a million at 1,000 events/s": row["cpu"],
    }
