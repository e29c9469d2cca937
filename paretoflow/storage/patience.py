"""Retries requests to an object store after temporary failures; reports permanent ones at once."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import TypeVar

from paretoflow.core import retry
from paretoflow.core.errors import StorageError
from paretoflow.core.retry import Patience, patiently

ATTEMPTS = 2
"""Number of requests that the client itself makes before it reports a failure."""
_FIRST_PAUSE_S = 0.1

_PASSING = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|THROTTLING|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|REQUEST_TIME_OUT"
    r"|REQUEST_TIMEOUT|RequestTimeout|HTTP status (5\d\d|408|429)|status 5\d\d|\b5\d\d (Internal"
    r"|Bad Gateway|Service|Gateway)|timed? ?out|onnection (refused|reset|closed|aborted)"
    r"|client error \(Connect\)|error sending request|connection error"
)
_REFUSED = re.compile(
    r"ACCESS_DENIED|AccessDenied|INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE_DOES_NOT_MATCH"
    r"|SignatureDoesNotMatch|INVALID_CLIENT_TOKEN_ID|InvalidToken|EXPIRED_TOKEN|ExpiredToken"
    r"|lacked the necessary privileges|403 Forbidden|401 Unauthorized|valid authentication"
)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket")
_NO_CREDENTIALS = re.compile(r"(?i)no credentials|credentials provider|169\.254\.169\.254")

Result = TypeVar("Result")


def asked(call: Callable[[], Result], uri: str, patience_s: float | None = None) -> Result:
    """Return the result of a storage request; retry temporary failures.

    Args:
        call: Makes the request; it must be safe to repeat.
        uri: Place to name in an error.
        patience_s: Seconds of failing requests after which storage counts as gone; `OUTAGE_S` by
            default.

    Raises:
        FileNotFoundError: From the call, unchanged.
        StorageError: If storage refuses access, or continues to fail.
    """
    for_s = retry.OUTAGE_S if patience_s is None else patience_s
    try:
        return patiently(call, Patience((OSError,), passes, for_s, _FIRST_PAUSE_S))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise storage_error(error, uri, for_s) from error


def passes(error: Exception) -> bool:
    """Return whether a failure of a request is likely temporary."""
    text = str(error)
    return bool(_PASSING.search(text)) and not _REFUSED.search(text)


def storage_error(error: Exception, uri: str, asked_s: float) -> StorageError:
    """Return the error to show for an error of a storage client, without secrets.

    Args:
        error: Error of the client.
        uri: Place to name.
        asked_s: Seconds for which the request was retried.
    """
    bucket = uri.partition("://")[2].partition("/")[0]
    text = " ".join(str(error).split())
    if isinstance(error, StorageError):
        return error
    if _NO_BUCKET.search(text):
        return StorageError(
            f"there is no bucket {bucket!r}",
            uri,
            "create it, or correct its name in the URI",
            code="storage-no-bucket",
        )
    if _REFUSED.search(text) or _NO_CREDENTIALS.search(text):
        return StorageError(
            f"bucket {bucket!r} does not let these credentials in",
            uri,
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the profile, and that they allow "
            "ListBucket, GetObject, PutObject and DeleteObject here",
            code="storage-denied",
        )
    if passes(error):
        return StorageError(
            f"bucket {bucket!r} gave no answer for {asked_s:g} s: {_short(text)}",
            uri,
            "check the network and AWS_ENDPOINT_URL, then run again: nothing that finished is lost",
            code="storage-no-answer",
        )
    return StorageError(
        f"bucket {bucket!r} failed: {_short(text)}",
        uri,
        "see what storage says",
        code="storage-refused",
    )


def disk_error(error: OSError, where: str) -> StorageError:
    """Return the error to show for an error of a disk."""
    hints = {
        errno.ENOSPC: "free some space, then run again: nothing that finished is lost",
        errno.EDQUOT: "free some of your quota, then run again: nothing that finished is lost",
        errno.EROFS: "it is mounted for reading only: choose another folder",
        errno.EISDIR: "a folder lies where a file belongs: move it away",
        errno.ENOTDIR: "a file lies where a folder belongs: move it away",
        errno.ENAMETOOLONG: "choose a shorter path",
        errno.EACCES: "check the permissions of the folder, or choose another",
    }
    hint = hints.get(error.errno or 0, "check free space and permissions, then run again")
    return StorageError(
        f"storage failed: {error.strerror or error}", where, hint, code="storage-refused"
    )


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}…"
