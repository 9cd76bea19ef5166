"""A headless Chromium, where there is one."""

from collections.abc import Iterator
from typing import Any

import pytest
from chrome import NAMES, chrome


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium under playwright; a skip with the reason where either is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = chrome()
    if found is None:
        pytest.skip(f"no Chromium on the path: none of {', '.join(NAMES)}")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
