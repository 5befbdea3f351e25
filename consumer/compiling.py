"""What the compiler alone is told of a class: `@mypyc_attr(...)`. Where the core is not compiled it says nothing.

acyclic=True      no object of the class can ever be part of a cycle: it is made without what the collector needs, and
                  freed without touching its neighbours in the collector's list
free_list_len=1   one at a time is alive, as a rule: the next takes the place of the last
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:  # the compiler's package is not needed to run

    def mypyc_attr(**_words):
        """Leaves the class as it is."""
        return lambda decorated: decorated


__all__ = ["mypyc_attr"]
