"""Which URIs name a place in an object store; only the text is looked at."""

from __future__ import annotations

import re

SCHEMES = ("s3", "gs")
"""Amazon S3 and what speaks like it, and Google Cloud Storage."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._=/-]*")


def uri_fault(uri: str) -> tuple[str, str]:
    """Return what is wrong with a URI and what to do about it; two empty texts when it is right.

    delta-rs reads `%`, spaces and the like in two ways, so a prefix has none of them.
    """
    scheme, found, rest = uri.partition("://")
    if not found or scheme not in SCHEMES:
        allowed = ", ".join(f"{s}://bucket/prefix" for s in SCHEMES)
        return f"got {uri!r}; allowed: a folder, file:///folder, {allowed}", "name one of these"
    if "@" in rest or ":" in rest:  # not repeated: it may be a key with its secret
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
