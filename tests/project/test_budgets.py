"""The size of things is bounded, so that nothing grows without anybody having decided it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_function_has_at_most_50_lines(path: Path) -> None:
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions(parsed(path))}

    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_class_has_at_most_20_methods(path: Path) -> None:
    classes = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    methods = {
        node.name: sum(isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) for part in node.body)
        for node in classes
    }

    assert {name: count for name, count in methods.items() if count > CLASS_METHODS} == {}


@pytest.mark.parametrize("path", RULES, ids=name_of)
def test_a_rule_has_at_most_80_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= RULE_LINES


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_has_at_most_120_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= PAGE_LINES


@pytest.mark.parametrize("path", [path for path in SOURCES if "client_sdk" not in path.parts], ids=name_of)
def test_imports_stand_at_the_top(path: Path) -> None:
    hidden = {
        node.name
        for node in functions(parsed(path))
        if any(isinstance(part, (ast.Import, ast.ImportFrom)) for part in ast.walk(node))
    }

    assert hidden == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    tree = parsed(path)

    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_nothing_is_mocked(path: Path) -> None:
    imported = {
        name
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }

    assert not {name for name in imported if name.startswith(("unittest", "mock", "pytest_mock"))}
