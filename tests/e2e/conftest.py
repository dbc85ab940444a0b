"""What end-to-end tests share."""

from __future__ import annotations

import pytest
from testbed.run.binaries import Lacking, find_program


@pytest.fixture
def switch_and_driver() -> None:
    """Skips a test where the two programs were not built."""
    try:
        find_program("testbed-switch"), find_program("testbed-driver")
    except Lacking as lacking:
        pytest.skip(str(lacking))
