"""Signs of failures of disks, networks, storage and devices: errno, words, types, HTTP statuses."""

from __future__ import annotations

import errno
import re

from paretoflow.core.status import Boundary

STORE, WORKER = Boundary.STORE, Boundary.WORKER
FULL = "no space left"
UNWRITTEN = "a file cannot be written"

DISK = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "only reading is allowed",
    errno.EIO: "input or output fails",
    errno.EREMOTEIO: "input or output fails",
    errno.EFBIG: "no larger files are allowed",
    errno.ESTALE: "the network disk lost its files",
    errno.ENXIO: "the device is gone",
    errno.ENODEV: "the device is gone",
    errno.ENOLCK: "no more locks are given",
}
MACHINE = {
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files on the machine",
    errno.ENOMEM: "the machine has no memory left",
    errno.EAGAIN: "the machine has no more processes or threads",
    errno.ENOBUFS: "the machine has no network buffers left",
}
NETWORK = {
    errno.ECONNRESET: "the connection broke",
    errno.ECONNABORTED: "the connection broke",
    errno.EPIPE: "the connection broke",
    errno.ESHUTDOWN: "the connection broke",
    errno.ENOTCONN: "the connection broke",
    errno.ENETRESET: "the connection broke",
    errno.ECONNREFUSED: "nobody answers at the address",
    errno.ETIMEDOUT: "no answer in time",
    errno.EHOSTUNREACH: "the host cannot be reached",
    errno.EHOSTDOWN: "the host cannot be reached",
    errno.ENETUNREACH: "the network cannot be reached",
    errno.ENETDOWN: "the network is down",
    errno.EADDRINUSE: "the port is taken",
    errno.EADDRNOTAVAIL: "the address is not there",
}
DENIED = {
    errno.EACCES: "access is denied",
    errno.EPERM: "access is denied",
    errno.EKEYEXPIRED: "the credentials have expired",
}
"""Codes that are outages for files that training writes; in a scorer they are its own fault."""

WORDS: tuple[tuple[str, str, Boundary], ...] = (
    (r"No space left on device|os error 28\b|Errno 28\b", FULL, STORE),
    (r"Disk quota exceeded|os error 122\b", "the quota is used up", STORE),
    (r"Read-only file system|os error 30\b", "only reading is allowed", STORE),
    (r"Input/output error|os error 5\b|Stale file handle", "input or output fails", STORE),
    (r"File too large|os error 27\b", "no larger files are allowed", STORE),
    # torch's archive writer reports its position, not the reason
    (r"PytorchStreamWriter failed|unexpected pos \d+ vs \d+", UNWRITTEN, STORE),
    (
        r"insufficient shared memory|to (shared memory|file </torch_)",
        "no shared memory left",
        WORKER,
    ),
    (r"Too many open files|os error 24\b", "too many open files", WORKER),
    (r"Cannot allocate memory|os error 12\b", "the machine has no memory left", WORKER),
    (
        r"can't start new thread|Resource temporarily unavailable",
        "the machine has no more processes or threads",
        WORKER,
    ),
    (
        r"(?i)connection (reset|closed) by peer|broken pipe|connection (aborted|broken)",
        "the connection broke",
        WORKER,
    ),
    (
        r"(?i)connection refused|couldn't connect to 'https?://|max retries exceeded"
        r"|error sending request|StatusCode\.UNAVAILABLE",
        "nobody answers at the address",
        WORKER,
    ),
    (
        r"(?i)name resolution|name or service not known|nodename nor servname|dns error"
        r"|could(n't| not) resolve host",
        "a name cannot be looked up",
        WORKER,
    ),
    (
        r"(?i)network is unreachable|no route to host|transport endpoint is not connected",
        "the network cannot be reached",
        WORKER,
    ),
    (r"(?i)EADDRINUSE|address already in use", "the port is taken", WORKER),
    (
        r"(?i)connection timed out|timed out waiting for clients|socket timeout|wait timeout after"
        r"|StatusCode\.DEADLINE_EXCEEDED",
        "no answer in time",
        WORKER,
    ),
    (
        r"ncclSystemError|ncclRemoteError|unhandled system error",
        "the ranks lost each other",
        WORKER,
    ),
    (
        r"(?i)uncorrectable ECC|busy or unavailable|no CUDA-capable device|GPU is lost"
        r"|fallen off the bus|CUDA driver initialization failed",
        "the device fails",
        WORKER,
    ),
    (
        r"(?i)expired_?token|requestexpired|token (has |is |included in the request is )?expired"
        r"|credentials (have |are |are still )?expired",
        "the credentials have expired",
        STORE,
    ),
)
"""Pattern of an error's message, its meaning, and its boundary where the error has none."""

LIBRARIES = re.compile(
    r"(aiohttp|anthropic|azure|boto3|botocore|cohere|fsspec|gcsfs|google|grpc|http|httpcore|httpx"
    r"|huggingface_hub|mistralai|openai|ray|redis|requests|s3fs|s3transfer|ssl|torch|urllib|urllib3"
    r"|websockets)(\.|$)"
)
"""Errors that are recognised by their type, or by their HTTP status."""
TYPES = re.compile(
    r"(?i)connect|timeout|timedout|transport|network|remoteprotocol|incompleteread|chunkedencoding"
    r"|unavailable|ratelimit|proxyerror|throttl|readerror|writeerror|maxretry|nameresolution"
    r"|sslerror|credentials|tokenretrieval|unauthorizedsso|refresherror|internalserver|overloaded"
    r"|offline|diststore|objectstorefull|outofdisk|raysystem|rayletdied|nodedied|ownerdied"
    r"|objectlost|reconstructionfailed|runtimeenvsetup|unschedulable|rpcerror|actordied"
    r"|workercrashed"
)
STATUSES = frozenset({401, 403, 408, 423, 425, 429, 500, 502, 503, 504, 507, 509, *range(520, 531)})
"""HTTP statuses of a server that is away, is overloaded, or no longer grants access."""
