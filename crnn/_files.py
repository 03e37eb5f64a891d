"""Files that are either the old one or the new one, and that tell when a byte was changed."""

import hashlib
import os
import secrets
from pathlib import Path

SEAL = b"sha256="
SEAL_SIZE = len(SEAL) + 64


def seal_of(file, size):
    """Checksum of the first bytes of a file, in the form in which it stands at the end."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
    return SEAL + digest.hexdigest().encode()


def write_atomically(path, data):
    """Put a file with these bytes in place, which are on the disk when this returns.

    What is killed meanwhile leaves the old file, and maybe a part of the new one beside it.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder):
    if os.name == "nt":
        return  # which has no handle of a folder that could be flushed
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
