"""Fuzz what reads bytes from outside, guided by coverage: Avro data, writers' schemas, Mixpanel's answers, mapped
records, mapping files.

    python tests/fuzz/fuzz.py [--seconds 300] [decoder] [schema] [verdict] [mapped] [mapping]

Whatever comes in, the outcome is a value or the one exception that says why not: never another exception, never a
hang, never an index or a number that cannot be. Starts from the seeds in `corpus/`; what it finds on the way stays in
`build/fuzz`, and an input that breaks a promise is written there and named. Needs `pip install atheris`.
"""

# ruff: noqa: PT017 - no test of pytest's

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOUND = ROOT / "build" / "fuzz"

sys.path.insert(0, str(ROOT))  # the tree, not a compiled copy: only Python is instrumented

import atheris  # noqa: E402

with atheris.instrument_imports(include=["consumer.avro", "consumer.core", "consumer.event", "consumer.mapping"]):
    from consumer.avro.errors import IncompatibleSchema
    from consumer.core.answers import read
    from consumer.core.model import Answer
    from consumer.core.verdict import Again, Halted, Opaque, Refused, TooLarge
    from consumer.event.convert import convert
    from consumer.event.decode import frame, resolve
    from consumer.event.encode import update_tail
    from consumer.event.errors import REASONS, Reject
    from tests.fuzz.mapped import mapped, mapping

READER = json.loads((ROOT / "schemas" / "group_change.avsc").read_text())
FIRST = (ROOT / "schemas" / "history" / "group_change.v1.avsc").read_text()
STATUSES = (200, 400, 200, 400, 413, 429, 503, 500, 204, 401)


def writers() -> list[object]:
    """Version 1, that with promotions and defaults left out, that with items that take no bytes, and the newest."""
    promoted = json.loads(FIRST)
    promoted["fields"][1]["type"] = "int"
    promoted["fields"] = [field for field in promoted["fields"] if field["name"] != "property_names"]
    promoted["fields"][-1]["type"]["values"] = ["int", "float", "bytes", {"type": "array", "items": "null"}]
    wider = json.loads(FIRST)
    wider["fields"].insert(0, {"name": "extra", "type": {"type": "fixed", "name": "Extra", "size": 2}})
    wider["fields"][-2]["type"]["values"].append({"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]})
    return [json.loads(FIRST), promoted, wider, READER]


DECODERS = [resolve(writer, READER) for writer in writers()]


def decoder(data: bytes) -> None:
    """The first byte chooses the writer's schema, the rest is the datum; then the whole is taken for a frame."""
    try:
        schema, start = frame(data, [("__value_schema_id", data[:17])] if data[:1] == b"\2" else None)
        assert isinstance(schema, (int, str))
        assert start in (0, 5)
    except Reject as reject:
        assert reject.reason in REASONS
    if not data:
        return
    try:
        change = DECODERS[data[0] % len(DECODERS)].decode(data, 1)
        operation = convert(change)
    except Reject as reject:
        assert reject.reason in REASONS
        assert reject.detail
        return
    sent = json.loads(b"{" + update_tail(operation))
    assert sent["$group_id"] == change.group_id
    assert sent.get("$company_id") == change.company_id
    assert len(sent) == (3 if change.company_id is None else 4)


def schema(data: bytes) -> None:
    """Any JSON as a writer's schema: it resolves, or it does not."""
    try:
        writer = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        resolve(writer, READER)
    except IncompatibleSchema as incompatible:
        assert str(incompatible)


def verdict(data: bytes) -> None:
    """The first two bytes choose the status and how many updates were sent, the rest is the body."""
    if len(data) < 2:
        return
    sent = 1 + data[1]
    answer = Answer(STATUSES[data[0] % len(STATUSES)], data[2:])
    found = read(answer, sent)
    if isinstance(found, Refused):
        assert found.messages
        assert all(0 <= index < sent and words for index, words in found.messages.items())
    elif isinstance(found, (Opaque, TooLarge)):
        assert found.message
    elif isinstance(found, (Again, Halted)):
        assert found.cause


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decoder": decoder,
    "schema": schema,
    "verdict": verdict,
    "mapped": mapped,
    "mapping": mapping,
}


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process; libFuzzer ends the process."""
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/broken-", "-timeout=10", "-max_len=4096"]
    options += ["-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(found), str(HERE / "corpus" / name)], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Each target in a process of its own; 1 where one was broken."""
    parser = argparse.ArgumentParser(description="Fuzz what reads bytes from outside.")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if options.here:
        fuzz(options.targets[0], options.seconds)
        return 0
    broken = []
    for name in options.targets:
        print(f"fuzzing {name} for {options.seconds} s", flush=True)
        command = [sys.executable, __file__, "--here", "--seconds", str(options.seconds), name]
        if subprocess.run(command, check=False).returncode:
            broken.append(name)
    if broken:
        print(f"broken: {', '.join(broken)}; the input is in {FOUND}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
