"""Packages that single functions need, each imported when such a function is called."""

from importlib import import_module
from typing import Any


def require(name: str, function: str, install: str) -> Any:
    """Import a module for a function, or say what has to be installed for it."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise ImportError(
            f"{function} needs {package}, which is not installed: pip install {install}."
        ) from error
