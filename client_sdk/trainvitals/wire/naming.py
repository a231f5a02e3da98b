"""What the names of settings say."""

from __future__ import annotations

import re
from typing import Final

_DATA: Final = re.compile(r"(^|[._/-])(data|dataset|datasets|corpus|split|train_file)([._/-]|$)", re.IGNORECASE)


def names_data(setting: str) -> bool:
    """Whether a setting says by its name which data are used."""
    return _DATA.search(setting) is not None
