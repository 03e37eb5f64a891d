"""Write files atomically, and read and write open files in place of paths."""

import io
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def write_to(target, write):
    """Call ``write(file)`` to write a path, or an open binary file from its current position."""
    if not hasattr(target, "write"):
        write_atomically(target, write)
        return
    _require_binary(target)
    content = io.BytesIO()
    write(content)
    target.write(content.getbuffer())


def open_to_read(source):
    """Open a path, or the rest of an open binary file from its current position."""
    if not hasattr(source, "read"):
        return open(os.fspath(source), "rb")
    _require_binary(source)
    return io.BytesIO(source.read())


def _require_binary(file):
    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{file!r} is open in text mode; open it in binary mode.")


def require_writable(path):
    """Create the folder of a file, and fail if ``write_atomically`` could not write there."""
    target = _target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=target.parent):
        pass


def _target(path):
    target = Path(os.path.realpath(os.fsdecode(path)))
    if target.exists() and not target.is_file():
        raise OSError(f"{os.fspath(path)!r} is not a regular file; pass the path of a file.")
    return target


def write_atomically(path, write):
    """Replace a file by what ``write(file)`` writes; it is on disk when this returns.

    A process killed midway leaves the old file, and perhaps part of the new one beside it. Symbolic
    links and permissions are kept.
    """
    target = _target(path)
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
    """Flush the new name of a file to disk, if the file system can flush folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
