"""What stands between a script and a library that is not installed."""

from __future__ import annotations

import pytest

from tests.integrations.conftest import run_script


@pytest.mark.slow
@pytest.mark.parametrize("library", ["transformers", "accelerate", "lightning", "keras"])
def test_a_library_that_is_missing_is_named_with_its_install(library: str) -> None:
    gone = "import sys; sys.modules.update(dict.fromkeys([{names}]))\nimport trainvitals.integrations.{library}"
    names = ", ".join(map(repr, {library, "lightning.pytorch", "pytorch_lightning"}))
    said = run_script(gone.format(names=names, library=library)).stderr
    assert said.splitlines()[-1].startswith(f"ImportError: trainvitals.integrations.{library} needs {library}: pip ")


def test_no_library_weighs_on_the_sdk() -> None:
    done = run_script("import trainvitals, sys; print([name for name in sys.modules if 'integrations' in name])")
    assert done.stdout.strip() == "[]"
