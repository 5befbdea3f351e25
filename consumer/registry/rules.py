"""The rules of a data contract that a reader would have to run: what it reads without them is not what was meant.

A field that a rule encrypted decodes as ordinary text, and a migration changes what fields say.
"""

from typing import Final

# Rules of this mode alone are run by producers only; what they encrypt stays so for a reader.
WRITE: Final = "WRITE"
ENCRYPTING: Final = "ENCRYPT"
MOST_NAMED: Final = 5


def read_rules(rule_set: object) -> tuple[str, ...]:
    """The rules of a registry's `ruleSet` that are active when a record is read, each as `name (TYPE)`.

    Whatever is not surely a rule for writing counts: an unknown kind of rule may be the one that matters.
    """
    if not isinstance(rule_set, dict):
        return ()
    found: list[str] = []
    for rules in rule_set.values():
        for rule in rules if isinstance(rules, list) else ():
            if not isinstance(rule, dict):
                found.append("unnamed")
            elif is_read(rule):
                found.append(f"{rule.get('name') or 'unnamed'} ({rule.get('type') or 'of no type'})")
    return tuple(found)


def is_read(rule: object) -> bool:
    """Whether a reader has to mind the rule: it is active when a record is read, or has encrypted what is read."""
    if not isinstance(rule, dict):
        return True
    encrypts = str(rule.get("type")).upper().startswith(ENCRYPTING)
    return rule.get("disabled") is not True and (rule.get("mode") != WRITE or encrypts)


def named(rules: tuple[str, ...]) -> str:
    """The rules in one sentence's part."""
    more = len(rules) - MOST_NAMED
    return ", ".join(rules[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
