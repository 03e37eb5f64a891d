"""What several test files use."""

import inspect

import crnn
import crnn.callbacks
import crnn.datasets
import crnn.preprocessing

MODULES = (crnn, crnn.callbacks, crnn.datasets, crnn.preprocessing)
PUBLIC = {name: getattr(m, name) for m in MODULES for name in m.__all__ if name[0] != "_"}


def functions_of(thing):
    """A public function, or the constructor and the methods of a class that crnn itself defines."""
    if not inspect.isclass(thing):
        return {thing.__name__: thing}
    own = [cls for cls in thing.__mro__ if cls.__module__.split(".")[0] == "crnn"]
    names = {name for cls in own for name, m in vars(cls).items() if inspect.isroutine(m)}
    names = sorted(n for n in names if n in ("__init__", "__call__") or not n.startswith("_"))
    return {f"{thing.__name__}.{name}": getattr(thing, name) for name in names}
