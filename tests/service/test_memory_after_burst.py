"""What a burst leaves behind is given back once."""

from consumer.service.memory import BURST, LEFT, Memory, trim


def test_a_burst_is_trimmed_after_once_and_a_steady_load_never():
    """Once what is open is a small part of the most; and again after the next burst."""
    trims: list[int] = []
    memory = Memory(lambda: trims.append(1))
    for open_bytes in (0, BURST - 1, 0, BURST - 1):
        memory.look(open_bytes)
    assert trims == []
    for open_bytes in (BURST, BURST // 2, BURST // LEFT, 0, 10, 0):
        memory.look(open_bytes)
    assert trims == [1]
    memory.look(BURST)
    memory.look(0)
    assert trims == [1, 1]


def test_the_c_library_is_asked_where_it_can():
    """And nothing is raised where it cannot."""
    trim()
