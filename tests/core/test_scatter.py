"""Groups in two partitions are counted once, by topic, within a bound of memory."""

import sys

from consumer.core.model import Assignment
from consumer.core.scatter import MOST, SAMPLE, Scatter
from tests.core.machine import Machine

ACME = b'"$group_key":"company","$group_id":"acme"'


def test_a_group_in_two_partitions_is_counted_once() -> None:
    """Not one that comes to the same partition again, nor one of the same id in another topic or company."""
    scatter = Scatter()
    for _ in range(3):
        scatter.saw(ACME, Assignment("a", 0))
    scatter.saw(ACME, Assignment("b", 1))
    scatter.saw(ACME + b',"$company_id":"other"', Assignment("a", 1))
    assert scatter.take() == {}
    for partition in (1, 0, 1, 2):
        scatter.saw(ACME, Assignment("a", partition))
    assert scatter.take() == {"a": 1}
    assert scatter.take() == {}


def test_no_more_than_so_many_are_remembered() -> None:
    """Old ones make room, in memory that was taken at the start."""
    scatter = Scatter()
    before = sys.getallocatedblocks()
    for number in range(MOST + 5):
        scatter.saw(b"%d" % number, Assignment("a", 0))
    assert sys.getallocatedblocks() - before < 100
    assert scatter.take() == {}
    scatter.saw(b"%d" % (MOST + 4), Assignment("a", 1))
    assert scatter.take() == {"a": 1}


def test_the_pipeline_shows_it_a_sample() -> None:
    """Of the built-in event, too: all updates of one group of sixteen."""
    machine = Machine()
    groups = [str(number) for number in range(64)]
    for partition in (machine.assign(0), machine.assign(1)):
        machine.read(partition, *[("SET", {"a": 1}, group) for group in groups])
    names = [b'"$group_key":"company","$group_id":"%b"' % group.encode() for group in groups]
    sampled = [name for name in names if not hash(name) & SAMPLE]
    assert machine.pipeline.scatter.take() == ({"changes": len(sampled)} if sampled else {})
