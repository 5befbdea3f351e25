"""Asks what is known against the versions that are shipped (requirements/runtime.txt): `make audit`.

    python scripts/audit.py             status 1 where something is known; a line where nobody can be asked
    python scripts/audit.py --strict    status 3 where nobody can be asked, or not of every package

pip-audit itself says "no known vulnerabilities" of packages that it could not ask about, so its answer is counted.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "requirements/runtime.txt"
SOURCES = ("osv", "pypi")


def ask(source: str) -> list[dict[str, Any]] | None:
    """Every package as pip-audit knows it from this source; None where the source does not answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(SHIPPED), "--require-hashes", "--disable-pip"]
    command += ["--progress-spinner", "off", "--format", "json", "--timeout", "10", "--vulnerability-service", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return found


def judge(packages: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """What is known, a line each, and the packages about which nothing could be asked."""
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    known = [
        f"{package['name']} {package['version']}: {one['id']}, fixed in {one['fix_versions'] or 'none yet'}"
        for package in packages
        for one in package.get("vulns", [])
    ]
    return known, unasked


def main() -> int:
    """Ask one source after the other until one knows every package."""
    strict = "--strict" in sys.argv
    answers = {source: judge(found) for source in SOURCES if (found := ask(source))}
    known = sorted({line for lines, _ in answers.values() for line in lines})
    if known:
        print("\n".join(known))
        return 1
    if any(not unasked for _, unasked in answers.values()):
        print("every shipped package was asked about, and nothing is known against any")
        return 0
    print(
        f"NOT AUDITED: no source of advisories ({', '.join(SOURCES)}) can be reached for every package",
        file=sys.stderr,
    )
    return 3 if strict else 0


if __name__ == "__main__":
    sys.exit(main())
