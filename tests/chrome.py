"""A Chrome or Chromium, where there is one."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chrome() -> str | None:
    """The first of them on the path."""
    return next(filter(None, map(shutil.which, NAMES)), None)
