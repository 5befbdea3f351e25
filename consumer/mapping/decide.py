"""One rule and one record: whether it applies, what it does, and to which group."""

from typing import Final, final

from consumer.avro.errors import InvalidDatum
from consumer.event.errors import INVALID_CHANGE, TOO_LARGE, UNKNOWN_PROJECT
from consumer.event.model import DELETE as DELETE_GROUP
from consumer.event.model import UNSET, Operation
from consumer.mapping.errors import Unfit
from consumer.mapping.outcome import ACTION, OP, TOMBSTONE, UNCHANGED, WHERE, Ignored, Part, RuleRefusal
from consumer.mapping.paths import ROW_ROOT
from consumer.mapping.properties import GroupOperations, key_of, write
from consumer.mapping.rules import Choice, Condition, Identity, Rule
from consumer.mapping.seen import UNAVAILABLE, Mark, Seen
from consumer.mapping.words import ACTIONS, CLEAR, DELETE, IGNORE, IS_THERE, NOT_IN, WILD, WRITE

# What the record's format says of it.
WRITTEN: Final = 0  # a row or an event as it is now
CREATED: Final = 1  # of which there was none before
UPDATED: Final = 2
READ: Final = 3  # by a snapshot
DELETED: Final = 4
BURIED: Final = 5  # by a tombstone
NEITHER: Final = 6  # no row: a truncate, a message

UNKNOWN: Final = "the placeholder of an unchanged column is there"


@final
class Case:
    """What is known of a record before its rules look at it. `before` says that the row as it was is there and whole,
    `compacted` that the topic is; `renamed` are the key columns of a changed key, None where it did not change."""

    __slots__ = ("before", "compacted", "kind", "renamed")

    def __init__(self, kind: int, before: bool, compacted: bool, renamed: frozenset[str] | None) -> None:
        self.kind = kind
        self.before = before
        self.compacted = compacted
        self.renamed = renamed


def decide(rule: Rule, seen: Seen, case: Case) -> Part | Ignored:
    """What the rule does. Raises `Unfit`, InvalidDatum, UnicodeDecodeError; `seen.path` says where."""
    if case.kind == NEITHER:
        return Ignored(rule.name, OP)
    if case.kind == DELETED or case.kind == BURIED:
        return ended(rule, seen, case)
    if not holds(rule, seen, False):
        if rule.leaves == IGNORE or case.kind == CREATED:
            return Ignored(rule.name, WHERE)
        if rule.before_whole and case.before and not case.compacted and not holds(rule, seen, True):
            return Ignored(rule.name, WHERE)
        return finished(rule, seen, rule.leaves, False)
    action = WRITE if rule.action is None else ACTIONS.index(chosen(rule.action, seen))
    if action == IGNORE:
        return Ignored(rule.name, ACTION)
    if action != WRITE:
        return finished(rule, seen, action, False)
    return written(rule, seen, case)


def ended(rule: Rule, seen: Seen, case: Case) -> Part | Ignored:
    """The row is gone. What its columns were says nothing: only conditions on the key and the record count."""
    tombstone = case.kind == BURIED
    if rule.deletes == IGNORE:
        return Ignored(rule.name, TOMBSTONE if tombstone else ACTION)
    if case.renamed is not None and not of_key_columns(rule.id, case.renamed):
        return Ignored(rule.name, TOMBSTONE if tombstone else OP)
    if tombstone and any(take.path.of_value for take in rule.deciding()):
        return Ignored(rule.name, TOMBSTONE)
    for condition in rule.where:
        if not condition.of_value and not met(rule, condition, seen, False):
            return Ignored(rule.name, WHERE)
    return finished(rule, seen, rule.deletes, rule.before_whole)


def of_key_columns(identity: Identity | None, columns: frozenset[str]) -> bool:
    """Whether the id is made of the key's columns alone, which a changed key changed."""
    if identity is None:
        return False
    for take in identity.takes:
        if not take.path.of_key and not (take.path.of_value and take.path.parts and take.path.parts[0] in columns):
            return False
    return True


def finished(rule: Rule, seen: Seen, action: int, old: bool) -> Part | Ignored:
    """The end of the profile, or of what the rule gave it."""
    group_id, company, project = identified(rule, seen, old)
    if action == DELETE:
        return Part(rule.name, project, company, [Operation(rule.group_key, group_id, DELETE_GROUP, {}, company)])
    assert action == CLEAR
    if not rule.properties:
        return Ignored(rule.name, UNCHANGED)
    unset: dict[str, object] = dict.fromkeys(rule.named)
    return Part(rule.name, project, company, [Operation(rule.group_key, group_id, UNSET, unset, company)])


def written(rule: Rule, seen: Seen, case: Case) -> Part | Ignored:
    """The rule's properties."""
    group_id, company, project = identified(rule, seen, False)
    changed = rule.changed and not case.compacted and case.kind == UPDATED and case.before and not moved(rule, seen)
    writing = GroupOperations(rule.group_key, group_id, company)
    write(rule, seen, changed, writing)
    operations = writing.operations()
    if not operations:
        return Ignored(rule.name, UNCHANGED)
    return Part(rule.name, project, company, operations)


def moved(rule: Rule, seen: Seen) -> bool:
    """Whether a column differs that decides about group, project or whether the rule applies."""
    for take in rule.deciding():
        if seen.differs(take):
            return True
    for condition in rule.where:
        if seen.differs(condition.take):
            return True
    return False


def holds(rule: Rule, seen: Seen, old: bool) -> bool:
    """Whether all of `where` holds; `old` asks it of the row as it was."""
    for condition in rule.where:
        if not met(rule, condition, seen, old):
            return False
    return True


def met(rule: Rule, condition: Condition, seen: Seen, old: bool) -> bool:
    """Whether the condition holds. Null is in no list."""
    spot = seen.spot(condition.take)
    was = old and spot is not None and spot.old >= 0
    value = seen.value(condition.take, was)
    if value is UNAVAILABLE and rule.before_whole and not was and spot is not None and spot.old >= 0:
        value = seen.value(condition.take, True)
        if value is None and seen.data is not None and seen.data.places.starts[spot.old] < 0:
            value = UNAVAILABLE  # there is no row before
    if value is UNAVAILABLE:
        raise Unfit(UNKNOWN)
    there = value is not None and not isinstance(value, Mark)
    if condition.kind == IS_THERE:
        return there == condition.expected
    if there:
        for wanted in condition.values:
            if wanted == value and isinstance(wanted, bool) == isinstance(value, bool):
                return condition.kind != NOT_IN
    return condition.kind == NOT_IN


def identified(rule: Rule, seen: Seen, old: bool) -> tuple[str, str | None, str | None]:
    """The group's id, its company's, and the project."""
    identity = rule.id
    assert identity is not None
    group_id = id_of(identity, seen, old, False)
    assert group_id is not None
    company = None if rule.company is None else id_of(rule.company, seen, old, True)
    return group_id, company, None if rule.project is None else chosen(rule.project, seen, old)


def id_of(identity: Identity, seen: Seen, old: bool, optional: bool) -> str | None:
    """The id. None is where it is `optional` and null. Raises `Unfit`."""
    texts = []
    last = len(identity.takes) - 1
    for at, take in enumerate(identity.takes):
        value = seen.value(take, old and take.path.root == ROW_ROOT)
        if value is UNAVAILABLE:
            raise Unfit(UNKNOWN)
        if value is None:
            if optional and last == 0:
                return None
            raise Unfit("an id that is null")
        text = str(value)
        if not text:
            raise Unfit("an id that is empty")
        # Looked for with the separator behind it: one of several signs may begin within the part.
        if at < last and (text + identity.separator).find(identity.separator) < len(text):
            raise Unfit("a part of an id that has the separator in it")
        texts.append(text)
    return identity.separator.join(texts)


def chosen(choice: Choice, seen: Seen, old: bool = False) -> str:
    """The name that the choice comes to. Raises `Unfit`."""
    values = choice.values
    if choice.take is None:
        assert values is not None
        return values[WILD]
    value = seen.value(choice.take, old and choice.take.path.root == ROW_ROOT)
    if value is UNAVAILABLE:
        raise Unfit(UNKNOWN)
    if value is None or isinstance(value, Mark):
        raise Unfit("null, which names nothing")
    text = key_of(value)
    if values is None:
        return text
    name = values.get(text)
    if name is None:
        name = values.get(WILD)
    if name is None:
        raise Unfit("a value that has no row in values")
    return name


def refusal(rule: Rule, seen: Seen, detail: str, reason: str = INVALID_CHANGE) -> RuleRefusal:
    """What the rule could not take; a project that has no name has a reason of its own."""
    take = None if rule.project is None else rule.project.take
    if take is not None and seen.asked is take:
        reason = UNKNOWN_PROJECT
    path = "" if seen.asked is None or reason == TOO_LARGE else f", {seen.asked.path.text}"
    return RuleRefusal(rule.name, reason, f"rule {rule.name}{path}: {detail}", group_of(rule, seen))


def group_of(rule: Rule, seen: Seen) -> tuple[str, str, str | None] | None:
    """Key, id and company of the group that the rule writes; None where they cannot be read."""
    if rule.id is None:
        return None
    try:
        group_id = id_of(rule.id, seen, False, False)
        company = None if rule.company is None else id_of(rule.company, seen, False, True)
    except (Unfit, InvalidDatum, UnicodeDecodeError):
        return None
    return None if group_id is None else (rule.group_key, group_id, company)
