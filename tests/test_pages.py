"""What pages list by hand is what the code has."""

import re
from pathlib import Path

from consumer.core.causes import CAUSES
from consumer.service.readiness import HOLDING

ROOT = Path(__file__).parents[1]
# Where a word for a request that is sent again is made, and how.
MADE = {
    "consumer/mixpanel/client.py": r'cause="(\w+)"|return "(\w+)"|"(\w+)" if|else "(\w+)"',
    "consumer/mixpanel/pool.py": r'cause="(\w+)"',
    "consumer/http/deadline.py": r'return "(\w+)"|else "(\w+)"',
    "consumer/core/answers.py": r'Again\("([a-z]+)"',
}


def test_the_causes_of_retries_are_listed():
    """docs/operations.md has every word that `retries_total` can have for its cause, and no other."""
    row = next(line for line in (ROOT / "docs/operations.md").read_text().splitlines() if "`retries_total{" in line)
    listed = set(re.findall(r"`(\w+)`", row.split("|")[3]))
    made = {
        word
        for path, pattern in MADE.items()
        for groups in re.findall(pattern, (ROOT / path).read_text())
        for word in ([groups] if isinstance(groups, str) else groups)
        if word
    }
    # A connection is told apart before it is counted: refused, or reset. What the lease withheld is no retry.
    assert listed == made - {"connection", "lease"}


def test_the_causes_of_waiting_are_listed():
    """docs/operations.md has every word of `/status` in the order in which one is told before another."""
    text = (ROOT / "docs/operations.md").read_text()
    table = text.split("| Cause | The first open record", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(CAUSES)
    held = {
        word for row in re.findall(r"every partition is held: ([^|]*)\|", text) for word in re.findall(r"\w+", row)
    }
    assert held == set(HOLDING)


def test_every_page_that_code_cites_is_there():
    """A page of docs/ named in a docstring, a comment or another page leads somewhere."""
    texts = [*(ROOT / "consumer").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
    texts += [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "helm").rglob("*.tpl"), ROOT / "Makefile"]
    cited = {name for path in texts for name in re.findall(r"\bdocs/([\w/-]+\.md)", path.read_text())}
    assert len(cited) > 8
    assert sorted(name for name in cited if not (ROOT / "docs" / name).exists()) == []


def test_links_between_pages_lead_somewhere():
    """Every relative link, and every anchor of one, is there."""
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    broken = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            name, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = (page.parent / name).resolve() if name else page
            if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def anchors(text):
    """What a forge makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
