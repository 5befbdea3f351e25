"""The core and the loop, broken on purpose: each way breaks one promise, and some seed must find it.

python -m tests.simulation.mutants [--seeds 1..100] [NAME ...]    the table of docs/testing-simulation.md
"""

# ruff: noqa: E501  # lines of the source stand here as they are

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    """One broken line. `old` stands in the file exactly once."""

    name: str
    promise: int
    breaks: str
    file: str
    old: str
    new: str
    kind: str = ""  # of the histories that are to find it, where it takes special ones


MUTANTS = (
    Mutant(
        "commit-highest", 1, "the highest settled offset is committed, not the contiguous one", "core/offsets.py",
        "        states[place] = SETTLED\n",
        "        states[place] = SETTLED\n        self.committable = max(self.committable, offset + 1)\n",
    ),
    Mutant(
        "commit-polled", 1, "what was read is committed at once", "core/pipeline.py",
        "            partition.ledger.seen(record.offset, now)\n",
        "            partition.ledger.seen(record.offset, now)\n            partition.ledger.committable = record.offset + 1\n",
    ),
    Mutant(
        "never-commit", 1, "commits are sent only at a drain", "service/loop.py",
        "        self._source.commit(self.pipeline.partitions.committable())\n", "        pass\n",
    ),
    Mutant(
        "one-last-commit", 1, "the last commit of a drain is not sent again when a rebalance refused it", "kafka/commits.py",
        "            if due and (self.fenced or time.monotonic() + SEND_EVERY > end):\n", "            if due:\n",
    ),
    Mutant(
        "rebalance-is-loss", 1, "a commit refused during a rebalance counts as that of a stranger", "kafka/commits.py",
        "            if code in FENCED:\n", "            if code in FENCED or code in OF_A_REBALANCE:\n",
    ),
    Mutant(
        "lane-not-held", 2, "a group goes on while a request of it is under way", "core/lanes.py",
        "        if not run.queued and not run.begun:\n", "        if not run.queued:\n",
    ),
    Mutant(
        "halves-together", 2, "both halves of a split batch go at once", "core/batch.py",
        "            if update.run.flying:\n                return False\n", "            pass\n",
    ),
    Mutant(
        "replay-last-first", 2, "a refused run is replayed from its end", "core/blame.py",
        "        self.push(middle, end, owned)\n        self.push(start, middle, owned)\n",
        "        self.push(start, middle, owned)\n        self.push(middle, end, owned)\n",
    ),
    Mutant(
        "replay-whole", 2, "a refused run is replayed whole, not restricted to what was refused", "core/blame.py",
        "        self.push(middle, end, owned)\n        self.push(start, middle, owned)\n",
        "        self.push(middle, end, None)\n        self.push(start, middle, None)\n",
    ),
    Mutant(
        "no-barrier", 3, "$union joins a $remove of the same property instead of waiting", "core/fold.py",
        "        elif self._taken(values, verb):\n",
        "        elif verb == UNION and REMOVE in self._parts:\n            self._drop(values, UNION)\n"
        "        elif self._taken(values, verb):\n",
    ),
    Mutant(
        "unfolded-together", 3, "without folding all changes of a group go in one request", "core/lanes.py",
        "        elif run.alone is not None or not self._fold:\n",
        "        elif not self._fold:\n"
        "            mine = [e for e in run.entries if e.record.assignment is run.assignment]\n"
        "            run.begin(len(mine))\n"
        "            for place, entry in enumerate(mine):\n"
        "                updates.append(Update(entry.verb, entry.json, place, place + 1))\n"
        "                run.made(updates[-1])\n"
        "        elif run.alone is not None:\n",
    ),
    Mutant(
        "set-keeps-first", 3, "$set folded on $set keeps the earlier value", "core/fold.py",
        "        if verb == SET or verb == UNSET:\n            part.update(values)\n",
        "        if verb == SET or verb == UNSET:\n            part.update({**values, **part})\n",
    ),
    Mutant(
        "delete-takes-all", 3, "a run that a $delete ends takes what follows it, too", "core/stretch.py",
        "        if entry.order > run.deleted or entry.record.assignment is not run.assignment:\n"
        "            break\n        if entry.verb == DELETE:\n            count = place + 1\n",
        "        if run.deleted < 0 or entry.record.assignment is not run.assignment:\n"
        "            break\n        count = place + 1\n",
    ),
    Mutant(
        "revoked-goes-again", 4, "a batch that waits keeps what was revoked", "core/backlog.py",
        "            if update.run.live:\n                living.append(update)\n",
        "            if True:\n                living.append(update)\n",
    ),
    Mutant(
        "revoked-frees-its-group", 4, "a group goes on while a request of an epoch that is over is under way", "core/lanes.py",
        "            if front.begun and not front.live and front.queued:\n",
        "            if front.begun and not front.live:\n", "again/",
    ),
    Mutant(
        "asleep-and-sure", 4, "a loop that stood still asks nobody", "service/loop.py",
        "        if not offsets or not self._source.verify(offsets, VERIFY_TIMEOUT):\n            return True\n", "",
    ),
    Mutant(
        "no-limit", 5, "reading never pauses at the limit", "core/room.py",
        "            self._full = records >= self._limit or size >= self._bytes_limit\n",
        "            self._full = False\n",
    ),
    Mutant(
        "projects-fill-all", 6, "a project that fails may fill all that may be open", "core/room.py",
        "        return self._own.full() or (self.stands and self._standing.full())\n", "        return False\n", "projects/",
    ),
    Mutant(
        "failing-takes-the-wire", 6, "projects that fail may have every request at once", "core/wire.py",
        "        if own >= half or (stands and self._standing >= half):\n", "        if own >= half:\n", "projects/",
    ),
    Mutant(
        "silent-takes-the-wire", 6, "a project may have every request at once while it does not fail", "core/wire.py",
        "        if own >= half or (stands and self._standing >= half):\n",
        "        if stands and self._standing >= half:\n", "projects/",
    ),
    Mutant(
        "unknown-takes-the-wire", 6, "a project that never answered may have every request at once", "core/dispatch.py",
        "        return 1 if self._wire.shared and not self.succeeded and not self.share.stands else self.throttle.allowed\n",
        "        return self.throttle.allowed\n", "projects/",
    ),
    Mutant(
        "held-for-ever", 6, "a partition that waited for room is not released", "core/admission.py",
        "            elif partition.project:\n                self.release(partition, now)\n", "", "projects/",
    ),
    Mutant(
        "one-halts-all", 6, "a project that is halted stops all", "core/destinations.py",
        "            batch = dispatch.start(now, self._number + 1) if len(dispatch.lanes) else None\n",
        "            batch = dispatch.start(now, self._number + 1) if len(dispatch.lanes) and not self.halted() else None\n", "projects/",
    ),
    Mutant(
        "retry-drops", 6, "a batch that should wait for its retry is forgotten", "core/delivery.py",
        "        self.dispatch.backlog.wait(batch, batch.updates, kind, due)\n", "        pass\n",
    ),
    Mutant(
        "retry-at-once", 6, "a retry does not wait", "core/retry.py",
        "    wait = longest / 2 + jitter * longest / 2\n", "    return 0.0\n",
    ),
    Mutant(
        "server-error-refuses", 6, "a 500 is a refusal", "core/answers.py",
        "    if status == 408 or 500 <= status < 600:\n        return Again(str(status), True)\n",
        "    if status == 408 or 500 <= status < 600:\n        return Opaque(str(status), False)\n",
    ),
    Mutant(
        "retry-after-ignored", 6, "a 429 slows only its own batch down", "core/throttle.py",
        "        self.resume_at = max(self.resume_at, until)\n", "        pass\n",
    ),
    Mutant(
        "halt-goes-on", 6, "a 401 is tried again like a 500", "core/answers.py",
        "    return Halted(str(status))\n", "    return Again(str(status), True)\n",
    ),
    Mutant(
        "wrong-blame", 6, "the record beside the refused one is blamed", "core/delivery.py",
        "            message = verdict.messages.get(index)\n",
        "            message = verdict.messages.get((index + 1) % len(batch.updates))\n",
    ),
    Mutant(
        "letter-unconfirmed", 7, "a dead letter settles its record when it is handed to the producer", "service/exchange.py",
        "            self._dead_letters.produce(dead_letter)\n",
        "            self._dead_letters.produce(dead_letter)\n            self._pipeline.dead_lettered(dead_letter)\n",
    ),
    Mutant(
        "letter-dropped", 7, "a refused record is settled without a dead letter", "core/settling.py",
        "            if rejected is not None and place in rejected:\n", "            if False:\n",
    ),
    Mutant(
        "flood-any", 8, "the breaker opens at a thousand rejects, however many pass", "core/breaker.py",
        " and not self._most_pass()\n", "\n", "flood/",
    ),
    Mutant(
        "blocked-eats-limit", 7, "what waits for the dead-letter topic counts against the limit of all", "core/partition.py",
        "        self.blocked_bytes += record.size\n        self._all.add(-1, -record.size)\n",
        "        self.blocked_bytes += record.size\n", "letters/",
    ),
    Mutant(
        "poison-not-split", 6, "a fault that one batch alone meets never makes it a suspect", "core/delivery.py",
        "SAME_FAILURES: Final = 2\n", "SAME_FAILURES: Final = 10**9\n", "stuck/",
    ),
    Mutant(
        "schema-holds-all", 6, "an outage of the registry for one schema pauses every partition", "core/partitions.py",
        "            if partition.held:\n", "            if any(other.held for other in self.by_assignment.values()):\n", "registry/",
    ),
    Mutant(
        "flood-through", 8, "the breaker never opens", "core/breaker.py",
        "        self.open = self.rejects() >= REJECTS and not self._most_pass()\n", "        pass\n", "flood/",
    ),
    Mutant(
        "add-resent", 9, "with AMBIGUOUS_ADD=dead-letter an $add of unknown outcome is sent again", "core/delivery.py",
        "        if verdict.unknown and not self._resend_adds:\n", "        if False:\n",
    ),
    Mutant(
        "add-dropped", 9, "with AMBIGUOUS_ADD=resend an $add is not sent again after an opaque answer", "core/delivery.py",
        "            self.dispatch.backlog.requeue([update], history)\n", "            report.accepted.append(update)\n",
    ),
    Mutant(
        "add-announced-late", 9, "a request with $adds goes before they are confirmed to be announced", "service/adds.py",
        "            batch.announcing = True\n            self._held[batch] = announcement\n",
        "            self._sent[batch] = announcement\n            self._pool.send(batch)\n", "journal/",
    ),
    Mutant(
        "add-not-proven", 9, "a request with $adds goes without a commit of this generation", "service/adds.py",
        "            if min(map(self._source.proven, announcement.notes)) < announcement.stamp:\n", "            if False:\n", "journal/",
    ),
    Mutant(
        "add-doubt-ignored", 9, "a new owner sends what was announced and not settled", "core/past.py",
        "        return IN_DOUBT if add in self._in_doubt else FREE\n", "        return FREE\n", "journal/",
    ),
    Mutant(
        "add-settled-ignored", 9, "a new owner sends what the journal calls applied", "core/redelivery.py",
        "    if fate == APPLIED:\n        return Taken(IGNORED)\n", "    if fate == APPLIED:\n        return taken\n", "journal/",
    ),
    Mutant(
        "add-journal-cut", 9, "a new owner reads the journal from its end", "core/announced.py",
        "            return min(lowest, note.position)\n", "            return self.end\n", "journal/",
    ),
    Mutant(
        "late-answer-counts", 4, "an answer of an old epoch is counted", "core/backlog.py",
        "            if update.run.live:\n                living.append", "            if True:\n                living.append",
    ),
    Mutant(
        "blame-one-by-one", 10, "a refused run is replayed record by record", "core/blame.py",
        "        middle = places[len(places) // 2] if len(places) > 1 else end\n",
        "        middle = places[1] if len(places) > 1 else end\n", "refused/",
    ),
    Mutant(
        "replay-keeps-parsed", 10, "each step of a replay keeps what it is about, parsed", "core/blame.py",
        '    __slots__ = ("end", "owned", "start")\n\n    def __init__(self, start: int, end: int, owned: Owned) -> None:\n',
        '    __slots__ = ("end", "kept", "owned", "start")\n\n    def __init__(self, start: int, end: int, owned: Owned) -> None:\n'
        "        self.kept = [operation_of(json) for json in owned or ()]\n", "full/",
    ),
    Mutant(
        "replay-keeps-copies", 10, "each step of a replay has a copy of what was refused", "core/blame.py",
        "            self.steps.append(Step(start, end, owned))\n",
        "            copies = None if owned is None else tuple([bytes(bytearray(json)) for json in owned])\n"
        "            self.steps.append(Step(start, end, copies))\n", "full/",
    ),
    Mutant(
        "capacity-of-all", 10, "a 429 that one batch meets alone, however often, slows its project down", "core/delivery.py",
        "        if verdict.kind == CAPACITY and not self._is_own_capacity(batch):\n", "        if verdict.kind == CAPACITY:\n", "stuck/",
    ),
    Mutant(
        "window-stays", 10, "requests at once stay as few as a 429 left them", "core/throttle.py",
        "            self.allowed += 1\n", "            pass\n",
    ),
    Mutant(
        "size-stays", 10, "fresh batches stay as small as a time-out left them", "core/throttle.py",
        "            self.fresh_updates = min(self._max_updates, max(self.fresh_updates, updates) * 2)\n", "            pass\n",
    ),
    Mutant(
        "body-shrinks", 10, "bodies become smaller than half of what was refused, down to nothing", "core/throttle.py",
        "        self.cap = min(self.cap, max(size // 2, SMALLEST_BODY))\n", "        self.cap = min(self.cap, size // 2)\n",
    ),
    Mutant(
        "body-stays", 10, "bodies stay as small as half of what was refused", "core/throttle.py",
        "            self.cap = min(self._limit, self.cap * 2, self._highest())\n", "            pass\n", "large/",
    ),
    Mutant(
        "body-never-forgets", 10, "a size that was refused once is believed for ever", "core/throttle.py",
        "(size >= self._refused or now - self._refused_at > REFUSED_FOR)", "size >= self._refused", "large/",
    ),
    Mutant(
        "trust-stays-lost", 10, "retries wait for ever after an outage", "core/retry.py",
        "        self._success += (1.0 - self._success) / MEMORY\n", "        pass\n",
    ),
    Mutant(
        "poison-holds-others", 10, "nothing fresh is sent while there is a suspect", "core/dispatch.py",
        "        return self.under_way.others() + len(self.backlog.waiting) < self._allowed()\n",
        "        return self.under_way.others() + len(self.backlog.waiting) < self._allowed() and not len(self.backlog.suspects)\n",
        "stuck/",
    ),
    Mutant(
        "blame-goes-first", 10, "nothing fresh is sent while parts of refused requests wait", "core/queues.py",
        "        if others > PATIENCE and self._went:\n", "        if False:\n", "full/",
    ),
    Mutant(
        "suspects-together", 10, "suspects go as many at once as there are slots", "core/wire.py",
        "        return self._suspects == 0 and self.free(stands, own)\n",
        "        return self.free(stands, own)\n", "stuck/",
    ),
    Mutant(
        "suspect-hurries", 10, "a record that always fails is tried again every two seconds", "core/retry.py",
        "    return min(LONGEST_SUSPECT_WAIT, doubled(FIRST_SUSPECT_WAIT, attempt))\n", "    return FIRST_WAIT\n", "stuck/",
    ),
    Mutant(
        "suspect-keeps-its-place", 10, "a suspect holds a place, as any batch that waits", "core/backlog.py",
        "        self.suspects.batches.append(batch)\n", "        self.waiting.batches.append(batch)\n", "stuck/",
    ),
    Mutant(
        "settled-with-first-part", 1, "a record is settled with the first of its parts", "core/settling.py",
        "        if not partition.decided(whole):\n            return\n", "        partition.decided(whole)\n", "parts/",
    ),
    Mutant(
        "accepted-part-named", 7, "the dead letter names accepted parts, too", "core/settling.py",
        "                self._part_decided(entry.whole, entry.record, delivered, now)\n",
        "                for _, letter in entry.whole._refused[:1]:\n"
        "                    also = DeadLetter(entry.record, letter.reason, letter.stage, letter.detail, rule=entry.rule)\n"
        "                    entry.whole.refuse(entry.order, also)\n"
        "                self._part_decided(entry.whole, entry.record, delivered, now)\n", "parts/",
    ),
    Mutant(
        "drain-strips-parts", 4, "a drain strips the last record of which something was sent of its other parts", "core/pipeline.py",
        "                bounds[assignment] = partition.reached + 1\n", "                bounds[assignment] = partition.reached\n", "parts/",
    ),
    Mutant(
        "add-doubt-spreads", 9, "one $add of a record that was announced puts its others in doubt", "core/past.py",
        "        add = record.offset, rule, record.timestamp\n",
        "        every = [*self._applied, *self._in_doubt]\n"
        "        add = next((one for one in every if one[0] == record.offset), (-1, rule, -1))\n", "parts/",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What the seeds found of one mutant."""

    seeds: int
    broken: int
    first: str
    words: str


def text_of(mutant: Mutant) -> str:
    """The file that the mutant breaks."""
    return (ROOT / "consumer" / mutant.file).read_text()


def hunt(mutant: Mutant, seeds: str, *, first: bool) -> Found:
    """Run the seeds on a copy of the source that is broken so."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "consumer"
        shutil.copytree(ROOT / "consumer", copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        text = text_of(mutant)
        if text.count(mutant.old) != 1:
            raise ValueError(f"mutant {mutant.name}: its line stands {text.count(mutant.old)} times in {mutant.file}")
        (copy / mutant.file).write_text(text.replace(mutant.old, mutant.new))
        names = f"{mutant.kind}{seeds}"
        command = [sys.executable, "-P", "-m", "tests.simulation", "--seeds", names, *(["--first"] if first else [])]
        environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = re.findall(r"^(.+)\n    python -m tests.simulation (\S+)$", done.stdout, re.MULTILINE)
    total = re.search(r"^(\d+) histories, (\d+) with", done.stdout, re.MULTILINE)
    if total is None:
        raise RuntimeError(f"mutant {mutant.name}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    words, seed = found[0] if found else ("", "")
    return Found(int(total[1]), int(total[2]), seed, words)


def main() -> int:
    """Prints the table; 1 where a mutant lives."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", default="1..100")
    given = parser.parse_args()
    living = 0
    print("| promise | broken so | mutant | found by | first seed, and what it says |\n|---|---|---|---|---|")
    for mutant in sorted(MUTANTS, key=lambda mutant: mutant.promise):
        if given.names and mutant.name not in given.names:
            continue
        found = hunt(mutant, given.seeds, first=False)
        living += not found.broken
        words = found.words.replace("|", "\\|")[:110]
        share = f"{found.broken} of {found.seeds}"
        print(
            f"| {mutant.promise} | {mutant.breaks} | `{mutant.name}` | {share} | {found.first}: {words} |", flush=True
        )
    return 1 if living else 0


if __name__ == "__main__":
    sys.exit(main())
