"""The rule that docs/own-rules.md shows is installed as it says there, and judges runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

import trainvitals as tv

pytestmark = pytest.mark.slow
DOCUMENT = (Path(__file__).parents[2] / "docs/own-rules.md").read_text()
ADDRESS = "trainvitals is at "
NEGATIVE = [1.0 - 0.1 * step for step in range(200)]


def shown(first_line: str) -> str:
    """The block of the document that begins so."""
    (block,) = re.findall(rf"```\w+\n# {re.escape(first_line)}\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    return str(block)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a process in which the package is installed, and a broken one beside it."""
    project = tomllib.loads(shown("pyproject.toml"))["project"]
    entries = {**project["entry-points"]["trainvitals.rules"], "worn_out": "our_rules.gone:worn_out"}
    site = tmp_path / "site"
    (site / "our_rules").mkdir(parents=True)
    (site / "our_rules/loss_negative.py").write_text(shown("our_rules/loss_negative.py"))
    facts = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = ["[trainvitals.rules]", *(f"{name} = {value}" for name, value in entries.items())]
    (facts / "entry_points.txt").write_text("\n".join(lines))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAINVITALS_")}
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "TRAINVITALS_DIR": str(tmp_path / "spool")}


def command(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "trainvitals.command", *words]
    return subprocess.run(asked, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_its_page_is_printed_with_its_options(environment: dict[str, str]) -> None:
    told = command(environment, "rule", "loss_negative")

    assert told.stdout.startswith("# Loss negative\n\n## What it checks\nWhether the newest ``points`` of the loss")
    assert "| `least` | `0.0` |\n| `points` | `8` |" in told.stdout


def test_a_recorded_run_is_judged_by_it(environment: dict[str, str], tmp_path: Path) -> None:
    with tv.init(mode="offline", directory=tmp_path, project="tests", name="n") as run:
        for loss in NEGATIVE:
            run.log({"loss": loss})
    (spool,) = tmp_path.rglob("*.spool")
    known = command(environment, "diagnose", str(spool))
    milder = command(environment, "diagnose", str(spool), "--option", "loss_negative.least=-1000")

    assert ["loss_negative" in told.stdout for told in (known, milder)] == [True, False]
    assert "rule worn_out of our-rules is left out" in known.stderr
    assert "loss_negative" not in command(environment, "diagnose", str(spool), "--mute", "loss_negative").stdout


@pytest.fixture
def serve(
    environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[], tuple[subprocess.Popen[str], str]]:
    def begin() -> tuple[subprocess.Popen[str], str]:
        asked = [sys.executable, "-m", "trainvitals_server.cli", "serve", "--data", str(tmp_path), "--port", "0"]
        said = (tmp_path / "log").open("w")
        process = subprocess.Popen(asked, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)
        said.close()
        request.addfinalizer(lambda: _end(process))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(ADDRESS), (tmp_path / "log").read_text()
        return process, line.removeprefix(ADDRESS).split()[0]

    return begin


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def test_a_server_judges_by_it_and_names_the_broken_one_in_its_log(
    serve: Callable[[], tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    _, url = serve()
    with tv.init(server_url=url, directory=tmp_path / "train", project="tests", name="n") as run:
        for loss in NEGATIVE:
            run.log({"loss": loss})
    found = httpx2.get(f"{url}/api/v1/runs/{run.run_id}/findings").json()["findings"]
    known = {rule["name"]: rule["package"] for rule in httpx2.get(f"{url}/api/v1/rules").json()}

    assert "loss_negative" in [finding["rule"] for finding in found]
    assert (known["loss_negative"], known["loss_spike"]) == ("our-rules", "trainvitals")
    assert "rule worn_out of our-rules is left out" in (tmp_path / "log").read_text()
