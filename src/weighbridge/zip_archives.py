"""Lists the errors that Python's `zipfile` raises for a damaged or malicious archive.

Its documentation names `BadZipFile` only. An unknown version or compression, a truncated extra
field, a name that is not UTF-8, a password, an offset below 0: each raises a different error, some
when the archive is opened and some when a member is read.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import Final

ZIP_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""All errors that opening a damaged or malicious archive, or reading a member of it, may raise."""
