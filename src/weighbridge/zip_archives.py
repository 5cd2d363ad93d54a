"""What Python's `zipfile` raises where an archive is damaged, or made to do damage.

Its documentation names `BadZipFile`. A version or a compression that it does not know, an extra
field that ends too early, a name that is not UTF-8, a password, an offset below 0: each raises
another, some when the archive is opened and some when a member is read.
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
