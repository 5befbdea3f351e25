"""Mixpanel's official libraries on the sandbox, unchanged; the Python one is in tests/sandbox/test_forms.py."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients"), pytest.mark.timeout(600)]

SDKS = Path(__file__).parent / "sdks"
REFUSED = {
    "node": "Mixpanel Server Error: 0\nMixpanel Server Error: $group_id, starts with reject-: refused on purpose\n",
    "go": "api return code 0\n",
    "java": "Server refused to accept messages, they may be malformed.\n",
}


@pytest.mark.parametrize("language", REFUSED)
def test_group_calls(sandbox, program, language):
    """Every group call of the library changes the profiles as it says, and a refusal is told to its caller."""
    calls = program(SDKS / language)

    said = calls(sandbox.url)

    assert sandbox.profiles.get("token", "company", "acme") == {"plan": "free", "since": 2020, "tags": ["a", "c"]}
    assert len(sandbox.profiles) == 1
    assert {entry["answer"]["status"] for entry in sandbox.requests.newest()} == {200}
    assert said == REFUSED[language]
