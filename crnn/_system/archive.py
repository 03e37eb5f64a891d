"""Arrays in npz archives that detect a changed byte and may come from an untrusted source.

The comment of the archive, at its very end, is the checksum of all bytes before it.
"""

import hashlib
import re
from math import prod
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

SEAL = b"sha256="
SEAL_SIZE = len(SEAL) + 64

# The header of an array of numbers or text exactly as NumPy writes it; NumPy's own parser accepts
# many other forms.
HEAD = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '[<>|][biufSUmM]\d{1,9}(\[\d*\w+\])?', "
    rb"'fortran_order': (True|False), 'shape': \((\d{1,18},|\d{1,18}(, \d{1,18})+)?\), \} *\n",
    re.DOTALL,
)


def write_archive(file, arrays):
    """Write arrays by name, and their checksum, into an empty file."""
    archive = ZipFile(file, "w", ZIP_STORED)
    try:
        with archive:
            for name, array in arrays.items():
                # A bare ZipInfo has a fixed date, so the same arrays give the same bytes.
                with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.comment = bytes(SEAL_SIZE)
    except ValueError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None  # Ctrl-C left a member open
        raise
    size = file.seek(0, 2) - SEAL_SIZE
    seal = seal_of(file, size)
    file.seek(size)
    file.write(seal)


def seal_of(file, size):
    """Checksum of the first ``size`` bytes of a file, in the form that ends an archive."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
    return SEAL + digest.hexdigest().encode()


def read_archive(file):
    """Read the arrays by name; raise ValueError, or what zipfile raises, if the file is damaged.

    Nothing is allocated before its bytes are known to exist.
    """
    size = file.seek(0, 2) - SEAL_SIZE
    if size < 0:
        raise ValueError(f"it has only {size + SEAL_SIZE} bytes")
    file.seek(size)
    if file.read() != seal_of(file, size):
        raise ValueError(
            "its checksum does not match its bytes: it is damaged or has another format"
        )
    with ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename.removesuffix(".npy") for entry in entries]
        if len(set(names)) < len(names) or sum(entry.file_size for entry in entries) > size:
            raise ValueError("its members overlap or repeat")
        if any(entry.header_offset < 0 for entry in entries):
            raise ValueError("one of its members starts before the file does")
        return {
            name: _read_array(archive, entry) for name, entry in zip(names, entries, strict=True)
        }


def _read_array(archive, entry):
    if entry.compress_type != ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(f"its member {entry.filename!r} is compressed or encrypted")
    with archive.open(entry) as member:
        head = HEAD.match(member.read(min(entry.file_size, 4096)))
        if head is None:
            raise ValueError(f"its member {entry.filename!r} is not an array of numbers or text")
        member.seek(np.lib.format.MAGIC_LEN)
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(member)
        content = member.read()
    if dtype.itemsize == 0 or dtype.itemsize * prod(shape) != len(content):
        raise ValueError(f"its member {entry.filename!r} does not have the size in its header")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if in_columns else "C")
    return array.astype(dtype.newbyteorder("="), order="K")
