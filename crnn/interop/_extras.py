"""Packages that are needed by one function only."""

from importlib import import_module
from typing import Any


def require(name: str, extra: str) -> Any:
    """Import a module, or say which extra of crnn installs it."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise ImportError(
            f'This needs {package}, which is not installed: pip install "crnn[{extra}]".'
        ) from error
