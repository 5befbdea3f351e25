"""A cheap Mixpanel in a process of its own: takes everything after a latency, counts, and times what is marked.

`python -m bench.stub PORT LATENCY_SECONDS`. GET /counts answers what it saw; an update with a property `sent_at` (in
microseconds of the wall clock) is timed from then until its answer leaves.
"""

import asyncio
import json
import re
import sys
import time

ACCEPTED = b'{"error":null,"errors":{},"status":1}'
MOST = 0.95
MARK = re.compile(rb'"sent_at":(\d+)')


class Stub:
    """Counts requests, updates and bytes."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
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
                if head.startswith("post"):
                    answer = await self._accept(body)
                else:
                    answer = json.dumps(self._counts()).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _accept(self, body: bytes) -> bytes:
        self.first = self.first or time.time()
        self.requests += 1
        self.bytes += len(body)
        self.updates += body.count(b'"$token"')
        self.came.append((time.time(), self.updates))
        marks = MARK.findall(body)
        await asyncio.sleep(self.latency)
        now = time.time()
        self.waits.extend(now - int(mark) / 1e6 for mark in marks)
        return ACCEPTED

    def _counts(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "updates": self.updates,
            "bytes": self.bytes,
            "first": self.first,
            "most": next((at for at, updates in self.came if updates >= MOST * self.updates), 0.0),
            "waits": sorted(self.waits),
        }


async def main() -> None:
    """Serve until killed."""
    stub = Stub(float(sys.argv[2]))
    server = await asyncio.start_server(stub.serve, "127.0.0.1", int(sys.argv[1]), limit=1 << 22)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
