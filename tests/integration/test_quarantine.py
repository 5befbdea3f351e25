"""The way out that loses nothing: what QUARANTINE names is kept, all else goes on, and a replay sends it later."""

import os
import subprocess
import sys

from tests.integration.events import changed
from tests.integration.service import CODE
from tests.integration.watching import until
from tests.integration.world import World


def replay(world: World, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`group-consumer dlq replay`, which sends."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "consumer", "dlq", "replay", "--yes", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": CODE, **world.settings, **settings},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_poisoned_group_is_taken_out_and_replayed(world):
    """It held its partition; named, it is a dead letter byte for byte; once the fault is lifted it is sent."""
    named = {"QUARANTINE": "group:company:poison"}
    poison = changed("poison", plan="x")
    world.mixpanel.faults.on("status", status=500, group_id="poison")
    world.send(changed("before", plan="x"), partition=0)
    world.send(poison, partition=0, key=b"\x00poison", headers=[("trace", b"\xff")])
    world.send(changed("after", plan="x"), partition=0)
    service = world.run()
    until(lambda: world.profile("after") and world.committed() == {0: 1}, "the poison alone holds its partition")
    assert service.stop() == 0

    service = world.run(**named)
    world.settled()
    (letter,) = world.letters(1)
    assert (letter.key(), letter.value()) == (b"\x00poison", poison)
    assert letter.headers()[0] == ("trace", b"\xff")
    ours = {name: value.decode() for name, value in letter.headers()[1:]}
    assert (ours["mixpanel.reason"], ours["__connect.errors.stage"]) == ("quarantined", "TRANSFORMATION")
    assert service.metric("dead_letters_total", reason="quarantined") == 1
    assert world.profile("poison") is None

    world.mixpanel.faults.clear()
    assert "1 quarantined" in replay(world, **named).stdout
    assert world.profile("poison") is None
    done = replay(world, "--reason", "quarantined", **named)
    assert done.returncode == 0, done.stderr
    assert world.profile("poison") == {"plan": "x"}
