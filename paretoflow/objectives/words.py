"""The words of a text in any script.

A word is a run of letters, their marks and digits. Scripts that are written without spaces (Han,
Kana, Thai, Lao, Khmer, Myanmar, Tibetan) have no such runs of the size of a word: there every
character with its marks is one, as is usual for scores of such texts.
"""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # iteration marks
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana of Ainu
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),  # Myanmar
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D),  # half-width Katakana
    (0x1B000, 0x1B16F),  # further Kana
    (0x20000, 0x3FFFF),  # further Han
)
_ANY_UNSPACED = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in _UNSPACED) + "]")
_ASCII = re.compile("[a-z0-9]+")
_JOINERS = "\u200c\u200d"
"""Zero-width signs inside words, in Persian for instance."""


def is_unspaced(character: str) -> bool:
    """Return whether a character belongs to a script that is written without spaces."""
    return _ANY_UNSPACED.match(character) is not None


def words_of(text: str, *, inner: str = "") -> list[str]:
    """Return the words of a text, without case and in Unicode's compatibility form.

    By hand: "Größe: 5 m" has the words größe (as `grösse`), 5 and m; "序列是" has three.

    Args:
        text: The text.
        inner: Further characters that words may contain, for instance the underscore.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    if plain.isascii() and not inner:
        return _ASCII.findall(plain)
    words: list[str] = []
    begun = False
    for sign in plain:
        kind = unicodedata.category(sign)[0]
        if kind in "LN" or sign in inner:
            if begun and not is_unspaced(sign) and not is_unspaced(words[-1][0]):
                words[-1] += sign
            else:
                words.append(sign)
            begun = True
        elif begun and (kind == "M" or sign in _JOINERS):
            words[-1] += sign
        else:
            begun = False
    return words
