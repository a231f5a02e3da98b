"""What can be set, asked or found is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainvitals.importing.numbers import STEP_NAMES
from trainvitals.scripts import SETTINGS
from trainvitals_server.app import create_app
from trainvitals_server.settings import settings_from
from trainvitals_server.store.opening import open_store

ROOT = Path(__file__).parents[2]
ROOMS = ("client_sdk", "server", "dashboard", "migrations")
CHECKS = ROOT / "client_sdk/trainvitals/preflight/checks"
RULES = ROOT / "server/trainvitals_server/diagnosis/rules"
HEADINGS = ["What it checks", "Why it matters", "How to confirm", "What to try", "When it is wrong", "Options"]
UNSEEN = "docs/without-changing-the-script.md"
VARIABLE = re.compile(r"TRAINVITALS_[A-Z][A-Z_]*[A-Z]")


def sources() -> str:
    return "\n".join(path.read_text() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))


def document(name: str) -> str:
    return (ROOT / name).read_text()


def test_every_environment_variable_is_documented() -> None:
    assert set(VARIABLE.findall(sources())) - set(VARIABLE.findall(document("docs/environment.md"))) == set()


def test_no_environment_variable_is_documented_that_nothing_reads() -> None:
    assert set(VARIABLE.findall(document("docs/environment.md"))) - set(VARIABLE.findall(sources())) == set()


def test_options_of_a_script_are_documented_with_the_defaults_of_their_variables() -> None:
    row = re.compile(r"^\| `(TRAINVITALS_\w+)` \|.* \| (.+) \|$", flags=re.MULTILINE)
    defaults = dict(row.findall(document("docs/environment.md")))
    options = re.compile(r"^\| `--([\w-]+)` \| `(\w+)` \| (.+) \|$", flags=re.MULTILINE)
    found = {word.replace("-", "_"): rest for word, *rest in options.findall(document(UNSEEN))}

    assert found == {word: [variable, defaults[variable]] for word, variable in SETTINGS.items()}


def test_every_route_of_the_api_is_documented(tmp_path: Path) -> None:
    text = document("docs/api.md")
    settings = settings_from({}, data=tmp_path)
    store = open_store(settings.database)
    app = create_app(settings, store=store)
    store.close()
    routes = {
        f"{method.upper()} {path}"
        for path, operations in app.openapi()["paths"].items()
        if path.startswith("/api/") or path == "/healthz"
        for method in operations
    }

    assert routes
    assert {route for route in routes if f"`{route}" not in text} == set()


RULE_NAMES = sorted(path.stem for path in RULES.glob("*.py") if not path.stem.startswith("_"))


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_a_rule_has_a_page_with_the_same_headings_as_all(rule: str) -> None:
    page = (RULES / f"{rule}.md").read_text()

    assert re.findall(r"^## (.+)$", page, flags=re.MULTILINE) == HEADINGS


def test_a_page_belongs_to_a_rule() -> None:
    assert {path.stem for path in RULES.glob("*.md")} == set(RULE_NAMES)


def test_the_readme_names_every_rule() -> None:
    text = document("README.md")

    assert [rule for rule in RULE_NAMES if f"`{rule}`" not in text] == []


def test_every_check_of_the_preflight_is_documented_and_no_other() -> None:
    checks = {path.stem for path in CHECKS.glob("*.py") if path.stem != "__init__"}

    table = document("docs/preflight.md").partition("## Checks")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == checks


def test_a_check_names_its_source_and_its_false_alarms() -> None:
    texts = {path.stem: path.read_text() for path in CHECKS.glob("*.py") if path.stem != "__init__"}

    assert [name for name, text in texts.items() if "Source: " not in text or "Cries wolf: " not in text] == []


@pytest.mark.parametrize("page", ["README.md", "docs/integrations.md"])
def test_every_integration_is_documented(page: str) -> None:
    folder = ROOT / "client_sdk/trainvitals/integrations"
    libraries = {path.stem for path in folder.glob("*.py")} - {"__init__", "hosting"}

    assert libraries
    assert {library for library in libraries if f"trainvitals.integrations.{library}" not in document(page)} == set()


def test_every_name_of_the_steps_of_imported_runs_is_documented_in_its_order() -> None:
    names = ", ".join(f"`{name}`" for name in STEP_NAMES)

    assert f"in the first of the columns {names} that is there" in document("docs/importing.md")


def test_links_between_documents_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = {
        f"{page.relative_to(ROOT)} → {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists() and "docs/pictures" not in target
    }

    assert broken == set()


def test_tests_that_the_table_of_set_ups_names_are_there() -> None:
    named = set(re.findall(r"`(test_[a-z_]+)`", (ROOT / "docs/setups.md").read_text()))
    there = {
        name
        for path in (ROOT / "tests/sdk").glob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named
    assert named <= there
