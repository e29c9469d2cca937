"""Imports a tracker's client, with an error that names the package to install."""

from __future__ import annotations

import importlib
from typing import Any

from paretoflow.core.errors import MissingExtraError


def client_library(name: str, tracker: str) -> Any:
    """Import a module of a tracker's client.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(f"tracking with {tracker}", str(error.name), "track") from error
