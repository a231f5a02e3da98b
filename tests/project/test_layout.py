"""The rooms stand where the packaging, the type checker and the reader expect them, and the SDK stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "client_sdk": "trainvitals",
    "server": "trainvitals_server",
    "dashboard": "trainvitals_dashboard",
    "migrations": "trainvitals_migrations",
}
HEAVY = {"torch", "numpy", "urllib3", "requests", "fastapi", "sqlalchemy", "dash", "plotly", "pydantic", "sklearn"}


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_a_top_folder_holds_exactly_one_package(folder: str, package: str) -> None:
    importable = {
        path.name
        for path in (ROOT / folder).iterdir()
        if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    }

    assert importable == {package}


@pytest.mark.parametrize("package", [ROOT / folder / name for folder, name in PACKAGES.items()], ids=lambda p: p.name)
def test_a_package_is_typed(package: Path) -> None:
    assert (package / "__init__.py").exists()
    assert package.name == "trainvitals_migrations" or (package / "py.typed").exists()


def test_tests_are_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted(set(names)) == sorted(names)


def test_importing_the_sdk_loads_nothing_heavy() -> None:
    script = "import json, sys, trainvitals; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert set(json.loads(loaded)) & HEAVY == set()


def test_the_lock_pins_everything_and_names_no_place() -> None:
    lines = [line for line in (ROOT / "requirements/dev.lock").read_text().splitlines() if not line.startswith("#")]

    assert [line for line in lines if line.count("==") != 1] == []
    assert [line for line in lines if "/" in line or "@" in line or line.startswith(("-", "torch=="))] == []
