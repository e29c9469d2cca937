"""Arrow files with the SHA-256 of their own bytes, so that a changed file is detected.

The seal is in the schema's metadata, which an Arrow file has at its beginning and its end. The
digest is that of the file with zeros in the place of the seal. Files without a seal are of earlier
versions: of these, only files that Arrow cannot read are detected.
"""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa

from paretoflow.core.errors import DamagedError

_KEY = b"paretoflow.seal"
_MARK = b"paretoflow-sha256:"
_SEAL = re.compile(_MARK + rb"([0-9a-f]{64})")
_BLANK = _MARK + b"0" * 64


def sealed_bytes(table: pa.Table) -> bytes:
    """Return the table as an Arrow IPC file with its seal."""
    metadata = {**(table.schema.metadata or {}), _KEY: _BLANK}
    sink = pa.BufferOutputStream()
    sealed = table.replace_schema_metadata(metadata)
    with pa.ipc.new_file(sink, sealed.schema) as writer:
        writer.write_table(sealed)
    content: bytes = sink.getvalue().to_pybytes()
    return content.replace(_BLANK, _MARK + _digest(content))


def unsealed_table(content: bytes, where: str, hint: str = "") -> pa.Table:
    """Return the table of an Arrow IPC file, after a check of its seal, if it has one.

    Args:
        content: The file's bytes.
        where: The file's place, for the error.
        hint: Hint in the error for a damaged file.

    Raises:
        DamagedError: If the file changed since it was written.
    """
    seals = set(_SEAL.findall(content))
    if seals and seals != {_digest(_SEAL.sub(_BLANK, content))}:
        raise DamagedError("the file is damaged: it has another digest", where, hint)
    try:
        table = pa.ipc.open_file(content).read_all()
        table.validate(full=not seals)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DamagedError(f"the file is damaged: {told}", where, hint) from error
    metadata = {k: v for k, v in (table.schema.metadata or {}).items() if k != _KEY}
    return table.replace_schema_metadata(metadata or None)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
