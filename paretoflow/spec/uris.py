"""Check URIs and paths of sweeps, by their text alone."""

from __future__ import annotations

import re
from urllib.parse import unquote

SCHEMES = ("s3", "gs")
"""Amazon S3 and compatible stores, and Google Cloud Storage."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._=/-]*")


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def path_of(text: str) -> str:
    """Return the path of a text: itself, or that of a `file:` URI."""
    for start in ("file://localhost/", "file:///", "file:/"):
        if text.lower().startswith(start) and not text.lower().startswith(f"{start}/"):
            return unquote("/" + text[len(start) :], errors="surrogateescape")
    return text


def path_fault(path: str) -> tuple[str, str]:
    """Return the fault of a sweep's path and a hint; two empty texts for a valid path.

    delta-rs cannot write below some names, and reads others in two ways.
    """
    shown = ascii(path)
    if _SCHEME.match(path):
        scheme, _, rest = path.partition(":/")
        hint = f"write {scheme.lower()}://{rest.lstrip('/')}, or ./{path} for a folder"
        return f"got {shown}, neither a folder nor a URI", hint
    if path.lower().startswith("file:"):
        return f"got {shown}; allowed: file:// and an absolute path", "write file:///folder"
    faults = {
        "a control character": _CONTROL.search(path),
        "a backslash": "\\" in path,
        "a percent sign before two hex digits": _ESCAPE.search(path),
        "bytes that are no UTF-8": any(0xD800 <= ord(c) <= 0xDFFF for c in path),
        "a name of more than 255 bytes": _longest(path) > 255,
    }
    for what, found in faults.items():
        if found:
            return f"the path has {what}: {shown}", "choose another folder, or rename this one"
    return "", ""


def _longest(path: str) -> int:
    return max(len(part.encode(errors="surrogateescape")) for part in path.split("/"))


def uri_fault(uri: str) -> tuple[str, str]:
    """Return the fault of a URI and a hint; two empty texts for a valid URI.

    delta-rs reads `%`, spaces and the like in two ways, so a prefix has none of them.
    """
    scheme, found, rest = uri.partition("://")
    if not found or scheme not in SCHEMES:
        allowed = ", ".join(f"{s}://bucket/prefix" for s in SCHEMES)
        return f"got {uri!r}; allowed: a folder, file:///folder, {allowed}", "name one of these"
    if "@" in rest or ":" in rest:  # not shown: it may be a key with its secret
        what = "an address with a user, a key or a port; allowed: the bucket and a prefix alone"
        hint = "keys come from the environment or ~/.aws, the endpoint from AWS_ENDPOINT_URL"
        return what, f"write {scheme}://my-bucket/sweeps; {hint}"
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        what = f"got the bucket {bucket!r}; allowed: 3 to 63 lower-case letters, digits, dots, "
        what += "hyphens and underscores that begin and end with a letter or digit"
        return what, f"write {scheme}://my-bucket/sweeps"
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        what = f"got the prefix {prefix!r}; allowed: letters, digits, `.`, `_`, `=`, `-` and `/`"
        return what, f"write {scheme}://{bucket}/sweeps"
    return "", ""
