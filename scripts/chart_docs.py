"""Writes helm/README.md: its table is what helm/values.yaml says of every value.

python scripts/chart_docs.py            write it
python scripts/chart_docs.py --check    fail where it differs
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

HELM = Path(__file__).resolve().parent.parent / "helm"
KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]\w*):")
MARK = "# -- "

HEAD = """# mixpanel-group-consumer

Applies Avro group-change events from Kafka to Mixpanel group profiles. For Helm 3 and 4, Kubernetes 1.27 and later,
without dependencies. [docs/kubernetes.md](../docs/kubernetes.md) says how to install, size, roll, scale and upgrade
it, [docs/runbook.md](../docs/runbook.md) what its alerts mean.

```sh
kubectl create secret generic mixpanel --from-literal=token=YOUR_PROJECT_TOKEN
helm install group-consumer ./helm \\
  --set 'kafka.bootstrapServers={kafka:9092}' \\
  --set 'schemaRegistry.urls={http://schema-registry:8081}' \\
  --set mixpanel.existingSecret=mixpanel
helm test group-consumer --logs
```

Unknown and contradictory values are refused, each by its name. `helm/ci/` has whole files of values to start from.

## Values

Written by `scripts/chart_docs.py` from `values.yaml`.
"""


def documented(text: str) -> dict[str, str]:
    """What the comments say, by the dotted path of the value below each."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    comment = ""
    for line in text.splitlines():
        if line.strip().startswith(MARK):
            comment = line.strip().removeprefix(MARK)
        elif match := KEY.match(line):
            indent = len(match["indent"])
            path = [(depth, key) for depth, key in path if depth < indent] + [(indent, match["key"])]
            if comment:
                found[".".join(key for _, key in path)] = comment
            comment = ""
    return found


def default(values: Any, path: str) -> str:
    """The default of a value, short and as JSON."""
    for key in path.split("."):
        values = values[key]
    return json.dumps(values)


def leaves(values: Any, documents: dict[str, str], path: str = "") -> list[str]:
    """Every value that is not a group of documented ones: what the table must have."""
    if path in documents or not isinstance(values, dict) or not values:
        return [path]
    return [leaf for key, value in values.items() for leaf in leaves(value, documents, f"{path}.{key}".lstrip("."))]


def table() -> str:
    """The README as it must be."""
    text = (HELM / "values.yaml").read_text()
    values, documents = yaml.safe_load(text), documented(text)
    missing = [leaf for leaf in leaves(values, documents) if leaf not in documents]
    if missing:
        sys.exit(f"helm/values.yaml says nothing of {', '.join(missing)}")
    lines = ["| Value | Default | Meaning |", "|---|---|---|"]
    for path, meaning in documents.items():
        shown = default(values, path).replace("|", "\\|")
        lines.append(f"| `{path}` | `{shown}` | {meaning} |")
    return HEAD + "\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Write, or compare."""
    readme = HELM / "README.md"
    if "--check" not in sys.argv:
        readme.write_text(table())
    elif not readme.exists() or readme.read_text() != table():
        sys.exit("helm/README.md is not what helm/values.yaml says: python scripts/chart_docs.py")


if __name__ == "__main__":
    main()
