"""The house keeps its measure: a file has one subject, and a function can be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).parents[1] / "consumer"
# In lines. The folders are those that whoever is called at night reads.
LONGEST_FILE, LONGEST_FUNCTION = 250, 39
READ_AT_NIGHT = ("core", "kafka", "service")


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function of a file, without its decorators."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_longer_than_one_subject():
    """Split it by subject, and name the new file in docs/architecture.md."""
    files = [file for folder in READ_AT_NIGHT for file in (HOUSE / folder).rglob("*.py")]
    assert len(files) > 50
    lengths = {str(file.relative_to(HOUSE)): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_too_long():
    """Give what it does in steps a name each."""
    lengths = {
        f"{file.relative_to(HOUSE)}: {name}": length
        for file in HOUSE.rglob("*.py")
        for name, length in functions(file)
        if length > LONGEST_FUNCTION
    }
    assert lengths == {}


def test_no_class_name_has_two_meanings():
    """A name is one class; what another part asks of it is a protocol of the same name, or one with its own."""
    named: dict[str, list[str]] = {}
    for file in HOUSE.rglob("*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not any(
                isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases
            ):
                named.setdefault(node.name, []).append(str(file.relative_to(HOUSE)))
    assert {name: files for name, files in named.items() if len(files) > 1} == {}
