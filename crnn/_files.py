"""Files that are, at any moment, the old one or the new one."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_atomically(path, write):
    """Put in place what ``write(file)`` writes; it is on the disk when this returns.

    What is killed meanwhile leaves the old file, and maybe a part of the new one beside it. A link
    stays one, and so do permissions.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"{os.fspath(path)!r} is no regular file; name one, or a file that is new.")
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "x+b") as file:
            if target.exists() and os.name != "nt":
                part.chmod(target.stat().st_mode & 0o7777)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder):
    """Flush the name of a file, where the file system lets a folder be flushed at all."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
