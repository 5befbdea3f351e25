"""Says whether a tag is a release: every place that has a version has this one, and the changelog speaks of it.

python scripts/release.py v0.1.0            status 1 where something has another version
python scripts/release.py v0.1.0 --notes    what CHANGELOG.md says of it
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Where a version stands, and how.
PLACES = {
    "pyproject.toml": r'^version = "(.+)"$',
    "Dockerfile": r"^ARG VERSION=(.+)$",
    "helm/Chart.yaml": r'^appVersion: "(.+)"$',
}


def versions() -> dict[str, str]:
    """The version by the place that has it."""
    found = {}
    for name, pattern in PLACES.items():
        match = re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)
        found[name] = match[1] if match else "none"
    return found


def notes(version: str) -> str:
    """What the changelog says of a version; empty where it has no section for it."""
    text = (ROOT / "CHANGELOG.md").read_text()
    match = re.search(rf"^## {re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def problems(tag: str) -> list[str]:
    """Why this tag is no release, a line each."""
    version = tag.removeprefix("v")
    found = [f"{name} has version {other}" for name, other in versions().items() if other != version]
    if not notes(version):
        found.append(f"CHANGELOG.md has no section that begins with: ## {version}")
    return found


def main(tag: str, *options: str) -> int:
    """Print the problems, or the notes."""
    found = problems(tag)
    print(
        "\n".join(found)
        if found
        else notes(tag.removeprefix("v"))
        if "--notes" in options
        else f"{tag} can be released"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
