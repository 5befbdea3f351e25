"""What the wheel carries."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_in_the_wheel():
    """No package of the tree is missing in pyproject.toml, which names them all."""
    found = {".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / "consumer").rglob("__init__.py")}
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert found | {"consumer.schemas"} == set(named)
