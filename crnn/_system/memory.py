"""How much memory the machine has, and the refusal of work that needs more."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

SMALL = 2**26  # bytes, which fit anywhere; asking the system takes longer than a call of a layer


def machine_memory():
    """The most bytes of memory that this process may have; infinity if no limit is known."""
    limits = [np.inf]
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _cgroup_files():
        with suppress(OSError, ValueError):  # "max" means no limit
            limits.append(int(path.read_text(encoding="ascii")))
    with suppress(ImportError, AttributeError):  # nor this module
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [] if limit == resource.RLIM_INFINITY else [limit]
    return min(limit for limit in limits if limit > 0)


def _cgroup_files():
    """Files with the memory limits of this process's control groups on Linux, both versions."""
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
    """Raise MemoryError ahead of work that needs more memory than there is."""
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
