"""`python -m bench.page FIGURES`: puts what `python -m bench all --output FIGURES` found into docs/performance.md.

A table there stands below a line `<!-- bench: PART -->`, and is replaced where the figures have the part; the plots
of docs/plots are drawn again. The words around them are written by hand.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench import goals, plots, tables

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = DOCS / "performance.md"
TABLE: Final = re.compile(r"(?<=<!-- bench: )(?P<part>\w+) -->\n(?:\|.*\n)*")


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with these tables in their places."""
    return TABLE.sub(
        lambda found: f"{found['part']} -->\n{parts[found['part']]}" if found["part"] in parts else found[0], page
    )


def main() -> None:
    """Fill the page, draw the plots."""
    figures = json.loads(Path(sys.argv[1]).read_text())
    parts = {"ratios": tables.ratios(goals.held(figures))} | tables.of_parts(figures)
    PAGE.write_text(filled(PAGE.read_text(), parts))
    for name, drawn in plots.all_of(figures).items():
        (DOCS / "plots" / name).write_text(drawn)


if __name__ == "__main__":
    main()
