"""Docstrings that share their texts: each is written once and filled in where its name stands."""

import re
from collections.abc import Callable, Mapping
from inspect import cleandoc, isfunction
from typing import TypeVar

C = TypeVar("C", bound=type)


def documented(texts: Mapping[str, str]) -> Callable[[C], C]:
    """Replace each line ``{name}`` in the docstrings of a class and its methods by that text."""

    def fill(cls: C) -> C:
        members = [getattr(member, "__func__", member) for member in vars(cls).values()]
        for thing in (cls, *filter(isfunction, members)):
            if thing.__doc__:  # there is none under python -OO
                # Python 3.13 removes the indentation of docstrings, earlier versions do not.
                thing.__doc__ = re.sub(
                    r"^\{(\w+)\}$",
                    lambda name: cleandoc(texts[name[1]]),
                    cleandoc(thing.__doc__),
                    flags=re.MULTILINE,
                )
        return cls

    return fill
