"""A cheap Mixpanel in a process of its own: takes everything after a latency, counts, and times what is marked.

`python -m bench.stub PORT LATENCY_SECONDS [quiet|faults|refusals]`. GET /counts answers what it saw; an update with a
property `sent_at` (in microseconds of the wall clock) is timed from then until its answer leaves.

    quiet      takes everything
    faults     28 % of the requests fail, in each of `FATES` as often as in another; the same numbers in every run
    refusals   refuses each update with a property whose name starts with `refused_`, by its index
"""

import asyncio
import json
import random
import re
import socket
import struct
import sys
import time

ACCEPTED = b'{"error":null,"errors":{},"status":1}'
MOST = 0.95
FAILING = 0.28
REFUSED = "refused_"
FATES: dict[str, tuple[str, bytes]] = {
    "408": ("408 Request Timeout", b""),
    "429": (
        "429 Too Many Requests\r\nRetry-After: 1",
        b'{"code":429,"error":"rate limited","status":"Too Many Requests"}',
    ),
    "500": ("500 Internal Server Error", b"upstream error"),
    "502": ("502 Bad Gateway", b"upstream error"),
    "503": ("503 Service Unavailable", b"upstream error"),
    "504": ("504 Gateway Timeout", b"upstream error"),
    "temporary": ("200 OK", b'{"status":0,"error":"a temporary failure occurred"}'),
    "unreadable": ("200 OK", b"<html><title>OK</title></html>"),
    "reset before": ("", b""),
    "reset after": ("", b""),
    "time-out": ("", b""),
}
MARK = re.compile(rb'"sent_at":(\d+)')


class Stub:
    """Counts requests, updates and bytes."""

    def __init__(self, latency: float, mood: str = "quiet") -> None:
        self.latency = latency
        self.mood = mood
        self.random = random.Random(1)
        self.failed = 0
        self.requests = 0
        self.updates = 0
        self.bytes = 0
        self.first = 0.0
        self.waits: list[float] = []
        self.came: list[tuple[float, int]] = []  # when, and updates until then

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(found[1]) if (found := re.search(r"content-length: (\d+)", head)) else 0
                body = await reader.readexactly(length)
                status = "200 OK"
                if head.startswith("post"):
                    fate = self._fate()
                    if fate in ("reset before", "time-out"):
                        self._arrived(body)
                        await _silent(reader, writer, fate)
                        return
                    answer = await self._accept(body)
                    if fate == "reset after":
                        await _silent(reader, writer, fate)
                        return
                    if fate:
                        status, answer = FATES[fate]
                else:
                    answer = json.dumps(self._counts()).encode()
                head_of_answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(head_of_answer.encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _fate(self) -> str:
        """How this request fails; empty where it does not."""
        if self.mood != "faults" or self.random.random() >= FAILING:
            return ""
        self.failed += 1
        return self.random.choice(list(FATES))

    def _arrived(self, body: bytes) -> None:
        self.first = self.first or time.time()
        self.requests += 1
        self.bytes += len(body)
        self.updates += body.count(b'"$token"')
        self.came.append((time.time(), self.updates))

    async def _accept(self, body: bytes) -> bytes:
        self._arrived(body)
        marks = MARK.findall(body)
        await asyncio.sleep(self.latency)
        now = time.time()
        self.waits.extend(now - int(mark) / 1e6 for mark in marks)
        return self._judged(body) if self.mood == "refusals" else ACCEPTED

    def _judged(self, body: bytes) -> bytes:
        """Refuse what is marked, by index and with an honest count."""
        updates = json.loads(body)
        errors = {
            str(index): "$set, not taken"
            for index, update in enumerate(updates)
            if any(name.startswith(REFUSED) for name in update.get("$set") or ())
        }
        if not errors:
            return ACCEPTED
        words = "some data points in the request failed validation"
        taken = len(updates) - len(errors)
        return json.dumps({"error": words, "errors": errors, "num_good_events": taken, "status": 0}).encode()

    def _counts(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "failed": self.failed,
            "updates": self.updates,
            "bytes": self.bytes,
            "first": self.first,
            "most": next((at for at, updates in self.came if updates >= MOST * self.updates), 0.0),
            "waits": sorted(self.waits),
        }


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: str) -> None:
    """End the connection without an answer: at once by a reset, or when the client has waited for long enough."""
    if fate == "time-out":
        await reader.read()
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def main() -> None:
    """Serve until killed."""
    stub = Stub(float(sys.argv[2]), *sys.argv[3:])
    server = await asyncio.start_server(stub.serve, "127.0.0.1", int(sys.argv[1]), limit=1 << 22)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
