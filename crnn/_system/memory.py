"""Memory of the machine, and the refusal of what needs more."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

SMALL = 2**26  # fits anywhere; to ask the system takes longer than a call of a layer


def machine_memory():
    """Bytes of memory that this process may have at most, or infinity where nothing tells."""
    limits = [np.inf]
    with suppress(AttributeError, ValueError, OSError):  # there is no sysconf on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _cgroup_files():
        with suppress(OSError, ValueError):  # the word "max" stands for no limit
            limits.append(int(path.read_text(encoding="ascii")))
    with suppress(ImportError, AttributeError):  # there is no such module on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [] if limit == resource.RLIM_INFINITY else [limit]
    return min(limit for limit in limits if limit > 0)


def _cgroup_files():
    """Where Linux says how much the control groups of this process may have, by their version."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                root, name = Path("/sys/fs/cgroup"), "memory.max"
            elif "memory" in controllers.split(","):
                root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
            else:
                continue
            folder = root / group.lstrip("/")
            for outer in (folder, *folder.parents):
                if outer.is_relative_to(root):
                    yield outer / name


def require(n_bytes, what, remedy):
    """Raise MemoryError before work for which there is not enough memory."""
    if n_bytes <= SMALL:
        return
    limit = machine_memory()
    if n_bytes > limit:
        raise MemoryError(
            f"{what} needs {_readable(n_bytes)} of memory, but this machine allows "
            f"{_readable(limit)}. {remedy}"
        )


def _readable(n_bytes):
    return f"{n_bytes / 2**30:,.1f} GiB" if n_bytes >= 2**29 else f"{n_bytes / 2**20:,.1f} MiB"
