"""Random transactions on the tables, from one seed: inserts, updates of some columns, changed keys, deletes, and
several of them at once, rolled back now and then."""

from random import Random

from tests.cdc.columns import TIER, Column, quoted
from tests.cdc.tables import KEYS, SCHEMAS, TABLES

Key = tuple[str, ...]
WEIGHTS = {"insert": 4, "update": 10, "key": 1, "delete": 2}


class Transactions:
    """Makes them; knows which rows there are."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._columns = {table: list(columns) for table, columns in TABLES.items()}
        self._live: dict[str, list[Key]] = {f"{schema}.{table}": [] for schema in SCHEMAS for table in TABLES}
        self._gone: dict[str, list[Key]] = {name: [] for name in self._live}
        self._next = 0
        self._rewrite = False

    def some(self, count: int, *, rewrite: bool = True) -> str:
        """So many transactions, as a script.

        With `rewrite` also such that nobody who sees the rows afterwards, as a snapshot does, knows what was: what is
        set once changes, and rows leave the rule that had them.
        """
        self._rewrite = rewrite
        return "".join(self._transaction() for _ in range(count))

    def alter(self) -> str:
        """Every table has one column more from now on, and each gets a row with it."""
        script = ""
        for name in self._live:
            script += f"ALTER TABLE {name} ADD COLUMN {TIER.name} {TIER.type};\n"
        for table in TABLES:
            self._columns[table].append(TIER)
        return script + "".join(self._insert(name) for name in self._live)

    def truncate(self) -> str:
        """Every table is empty, at once."""
        for name, keys in self._live.items():
            self._gone[name] += keys
            keys.clear()
        return "".join(f"TRUNCATE {name};\n" for name in self._live)

    def _transaction(self) -> str:
        before = {name: (list(keys), list(self._gone[name])) for name, keys in self._live.items()}
        statements = [self._statement() for _ in range(self._random.choice((1, 1, 1, 2, 5)))]
        if self._random.random() < 0.1:
            self._live = {name: live for name, (live, _) in before.items()}
            self._gone = {name: gone for name, (_, gone) in before.items()}
            return f"BEGIN;\n{''.join(statements)}ROLLBACK;\n"
        return f"BEGIN;\n{''.join(statements)}COMMIT;\n"

    def _statement(self) -> str:
        name = self._random.choice(list(self._live))
        act = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        live = self._live[name]
        if act == "insert" or not live:
            return self._insert(name)
        key = self._random.choice(live)
        if act == "update":
            return f"UPDATE {name} SET {self._assigned(name)} WHERE {self._is(name, key)};\n"
        live.remove(key)
        self._gone[name].append(key)
        if act == "delete":
            return f"DELETE FROM {name} WHERE {self._is(name, key)};\n"
        return self._rekeyed(name, key)

    def _insert(self, name: str) -> str:
        key = self._new_key(name)
        values = {column.name: column.value(self._random) for column in self._columns_of(name)}
        values |= dict(zip(KEYS[self._table(name)], key, strict=True))
        if self._table(name) == "companies":
            values["created"] = quoted(f"2020-01-01 00:00:{self._random.randint(0, 59):02}.5")
        else:
            values["code"] = quoted(f"code {self._number()}")
        return f"INSERT INTO {name} ({', '.join(values)}) VALUES ({', '.join(values.values())});\n"

    def _rekeyed(self, name: str, key: Key) -> str:
        new = dict(zip(KEYS[self._table(name)], self._new_key(name, again=False), strict=True))
        assigned = ", ".join(f"{column} = {value}" for column, value in new.items())
        more = f", {self._assigned(name)}" if self._random.random() < 0.5 else ""
        return f"UPDATE {name} SET {assigned}{more} WHERE {self._is(name, key)};\n"

    def _assigned(self, name: str) -> str:
        fixed = ("code",) if self._rewrite else ("code", "status")
        columns = [column for column in self._columns_of(name) if column.name not in fixed]
        chosen = self._random.sample(columns, self._random.randint(1, min(4, len(columns))))
        assigned = {column.name: column.value(self._random) for column in chosen}
        if self._rewrite and self._table(name) == "companies" and self._random.random() < 0.1:
            assigned["created"] = "now()"
        return ", ".join(f"{column} = {value}" for column, value in assigned.items())

    def _new_key(self, name: str, again: bool = True) -> Key:
        """A key that nobody has: one that is gone comes back now and then."""
        gone = self._gone[name]
        if again and gone and self._random.random() < 0.2:
            key = gone.pop(self._random.randrange(len(gone)))
        else:
            number = str(self._number())
            key = (number,) if self._table(name) == "companies" else (quoted(self._random.choice("abc")), number)
        self._live[name].append(key)
        return key

    def _number(self) -> int:
        """One that nobody has."""
        self._next += 1
        return self._next

    def _columns_of(self, name: str) -> list[Column]:
        return self._columns[self._table(name)]

    def _is(self, name: str, key: Key) -> str:
        return " AND ".join(f"{column} = {value}" for column, value in zip(KEYS[self._table(name)], key, strict=True))

    @staticmethod
    def _table(name: str) -> str:
        return name.split(".")[1]
