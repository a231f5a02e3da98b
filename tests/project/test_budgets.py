"""The size of things is bounded, so that nothing grows without anybody having decided it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("client_sdk/trainvitals", "server/trainvitals_server", "dashboard/trainvitals_dashboard")
MODULE_LINES = 400
FUNCTION_LINES = 50
CLASS_METHODS = 20
RULE_LINES = 80
PAGE_LINES = 120

SOURCES = [
    path for room in (*ROOMS, "migrations/trainvitals_migrations") for path in sorted((ROOT / room).rglob("*.py"))
]
TESTS = [*sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "clinic").rglob("*.py"))]
RULES = sorted((ROOT / "server/trainvitals_server/diagnosis/rules").glob("*.py"))
PAGES = sorted((ROOT / "dashboard/trainvitals_dashboard/pages").glob("*.py"))


def offenders(paths: Iterable[Path], fault: Callable[[Path], object]) -> dict[str, object]:
    """The files in which ``fault`` finds something, with what it finds: a test for each file would take minutes."""
    return {str(path.relative_to(ROOT)): found for path in paths if (found := fault(path))}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def lines_beyond(most: int) -> Callable[[Path], int]:
    return lambda path: max(0, len(path.read_text().splitlines()) - most)


def test_a_module_has_at_most_400_lines() -> None:
    assert offenders([*SOURCES, *TESTS], lines_beyond(MODULE_LINES)) == {}


def test_a_function_has_at_most_50_lines() -> None:
    def long_ones(path: Path) -> dict[str, int]:
        lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions(parsed(path))}
        return {name: length for name, length in lengths.items() if length > FUNCTION_LINES}

    assert offenders(SOURCES, long_ones) == {}


def test_a_class_has_at_most_20_methods() -> None:
    def large_ones(path: Path) -> dict[str, int]:
        methods = {
            node.name: sum(isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) for part in node.body)
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ClassDef)
        }
        return {name: count for name, count in methods.items() if count > CLASS_METHODS}

    assert offenders(SOURCES, large_ones) == {}


def test_a_rule_has_at_most_80_lines() -> None:
    assert offenders(RULES, lines_beyond(RULE_LINES)) == {}


def test_a_page_has_at_most_120_lines() -> None:
    assert offenders(PAGES, lines_beyond(PAGE_LINES)) == {}


def test_imports_stand_at_the_top() -> None:
    def hidden(path: Path) -> set[str]:
        return {
            node.name
            for node in functions(parsed(path))
            if any(isinstance(part, (ast.Import, ast.ImportFrom)) for part in ast.walk(node))
        }

    assert offenders([path for path in SOURCES if "client_sdk" not in path.parts], hidden) == {}


def test_a_module_says_what_it_is_for() -> None:
    assert offenders(SOURCES, lambda path: parsed(path).body and not ast.get_docstring(parsed(path))) == {}


def test_nothing_is_mocked() -> None:
    def mocks(path: Path) -> set[str]:
        imports = [node for node in ast.walk(parsed(path)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {
            name
            for node in imports
            for name in ([one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        return {name for name in names if name.startswith(("unittest", "mock", "pytest_mock"))}

    assert offenders(TESTS, mocks) == {}
