"""Which browser the browser tag is tested in."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Debian's, Ubuntu's, Google's two."""


def find_chromium() -> str | None:
    """The machine's Chromium, or None where there is none to test with."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)
