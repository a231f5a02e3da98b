"""How pages look is kept page by page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.browser.looks import Look, keep, reference


def look(width: int) -> Look:
    return Look(boxes=[["nav", 0, 0, width, 8]], points=np.zeros((1, width, 3), np.uint8))


def test_references_of_other_pages_stay_where_one_page_is_kept_anew(tmp_path: Path) -> None:
    keep({"a-dark": look(1), "b-dark": look(2)}, folder=tmp_path)
    keep({"a-dark": look(3)}, others=True, folder=tmp_path)
    assert [reference(name, folder=tmp_path).boxes[0][3] for name in ("a-dark", "b-dark")] == [3, 2]

    keep({"a-dark": look(4)}, folder=tmp_path)
    with pytest.raises(FileNotFoundError):
        reference("b-dark", folder=tmp_path)
