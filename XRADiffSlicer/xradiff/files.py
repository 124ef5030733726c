"""What every reader of a file from outside checks first, and the file's identity (SHA-256)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .datatypes import InputFile
from .errors import InputError

__all__ = ["existing_file", "identity_of"]


def existing_file(path: str | Path, purpose: str) -> Path:
    """Return `path` as a Path when it is a readable file.

    Raises:
        InputError: it does not exist, is a folder, is empty or cannot be opened.
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{purpose} must be a file, got the folder {file}")
    if not file.is_file():
        raise InputError(f"{purpose} does not exist: {file}")
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise InputError(f"{purpose} is empty: {file}")
    except OSError as error:
        raise InputError(f"{purpose} cannot be read: {file} ({error.strerror})") from None
    return file


def identity_of(path: Path) -> InputFile:
    """Return the file's absolute path (so that a run can be repeated from any folder) and SHA-256."""
    with path.open("rb") as stream:
        return InputFile(str(path.resolve()), hashlib.file_digest(stream, "sha256").hexdigest())
