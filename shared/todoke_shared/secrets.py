"""Secrets are named in the configuration and kept elsewhere: `env:NAME` or `file:PATH`."""

import os
from collections.abc import Iterable
from pathlib import Path


def read_secret(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH`. ValueError tells which variable or file is missing."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        secret = os.environ.get(place, "")
        if not secret:
            raise ValueError(f"set the environment variable {place}: the configuration names it as a secret")
        return secret
    if kind == "file":
        try:
            secret = Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read the secret file {place}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"the secret file {place} must be UTF-8 text") from None
        if not secret:
            raise ValueError(f"the secret file {place} is empty")
        return secret
    raise ValueError("a secret in the configuration must be written env:NAME or file:PATH, never the secret itself")


def read_secrets(references: Iterable[str]) -> tuple[str, ...]:
    """Each of them, in order."""
    return tuple(read_secret(reference) for reference in references)
