"""Untrusted text for display: control characters as escapes, secrets left out.

Names, answers and error messages come from data, models and files of other people. Escape codes in
them control the terminal, bidirectional marks mislead the reader, and a log keeps their passwords.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

HIDDEN = "…"
"""Replacement of a secret."""

# C0 without tab and newline, DEL, C1, bidirectional marks, line and paragraph separators, and
# lone surrogates, which stand for bytes of a file name that are not text
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

_VOCABULARY = "pad|eos|bos|unk|sep|cls|mask|image|audio|prefix|stop|start|end|first|last|each|per"
_KEY = (
    r"(?:[\w.-]*(?:password|passwd|passphrase|secret|api[-_ ]?key|access[-_ ]?key|authorization)"
    rf"|(?![\w.-]*(?:{_VOCABULARY})[-_]token)[\w.-]*token)"
)
# pydantic's messages about a field of such a name are no secrets
_NO_VALUE = r"(?!(?:Extra inputs|Field required|Input should|Value error)\b)"
_VALUE = _NO_VALUE + r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&)}\]'\"]+)"
# an address that was normalised as a file path has one slash instead of two
_SCHEME = r"\b(?:[A-Za-z][A-Za-z0-9+.-]*://|(?:s3|gs|https?|ssh|ftp):/)"
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user@host and scheme://user:password@host; a password may hold a slash
    (
        re.compile(
            rf"({_SCHEME})"
            r"(?:[^\s/@:?'\"]+:(?!\d+/)[^\s?'\"]*@|[^\s/@?#'\"]+@)"
        ),
        rf"\1{HIDDEN}@",
    ),
    # the query of an address: it may hold signatures and tokens
    (re.compile(rf"({_SCHEME}[^\s?'\"]*\?)[^\s'\"]+"), rf"\1{HIDDEN}"),
    # a header; "basic" and a word of letters alone is plain English elsewhere
    (
        re.compile(
            r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)(?:basic|bearer|digest|token)\s+[^\s'\",]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(r"(?i)\b(bearer|basic)(\s+)(?=\S*[\d=+/])[A-Za-z0-9+/_=.~-]{8,}"),
        rf"\1\2{HIDDEN}",
    ),
    # name=value, name: value, "name": "value" and --name value
    (re.compile(rf"(?i)(?<![A-Za-z0-9_])({_KEY}['\"]?\s*[=:]\s*){_VALUE}"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)(--{_KEY}\s+)(?!-){_VALUE}"), rf"\1{HIDDEN}"),
    # keys that are recognised by their prefix
    (
        re.compile(
            r"\b(hf_|sk-|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abp]-|AKIA|ASIA|AIza)"
            r"[A-Za-z0-9_-]{10,}"
        ),
        rf"\1{HIDDEN}",
    ),
)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shown(text: str) -> str:
    r"""Return text with control characters as escapes, `\x1b` or `\u202e`; tab and newline stay.

    The escapes are those of JSON, so JSON text stays valid JSON.
    """
    return _UNSEEN.sub(_escape, text.replace("\r\n", "\n"))


def html_text(text: str) -> str:
    """Return text for display on an HTML page: nothing in it is markup."""
    return escape(shown(text))


def without_secrets(text: str) -> str:
    """Return text with its passwords, tokens and keys replaced by `HIDDEN`.

    By hand: `s3://key:secret@bucket/x?token=1` gives `s3://…@bucket/x?…`.
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


def tail(log: Path, lines: int = 20, most_bytes: int = 8192) -> str:
    """Return the last lines of a log, in any encoding."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - most_bytes))
        text = stream.read().decode(errors="replace")
    return "\n".join(text.rstrip().splitlines()[-lines:])
