"""Token text for figures and tables: nothing in it invisible, nothing in it read as HTML."""

import re
import unicodedata
from functools import cache
from html import escape

from transformers import PreTrainedTokenizerBase

from semantic_hub.prompts.words import ANCHOR, decode, token_ids

_BYTES = re.compile(r"(?:<0x[0-9A-Fa-f]{2}>)+")
_BYTE = re.compile(r"<0x(..)>")
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
_PICTURES = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {
    "\n": "⏎",
    "\t": "⇥",
    "\x7f": "␡",
    "\u00a0": "⍽",
}


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """What one token adds to a text, its leading space included.

    A token that is only a part of a character is given as its bytes: ``"<0xE4><0xB9>"``.

    Args:
        tokenizer: The model's tokenizer.
        token: Token id.

    Returns:
        The text; pass it through `legible` before it enters a figure.
    """
    before = token_ids(tokenizer, ANCHOR)
    start, both = decode(tokenizer, before), decode(tokenizer, [*before, token])
    text = both.removeprefix(start) if both.startswith(start) else decode(tokenizer, [token])
    piece = str(tokenizer.convert_ids_to_tokens(token))
    return _bytes_of(piece) if "\ufffd" in text else text


def shortened(text: str, longest: int) -> str:
    """A text of at most so many letters: where it is longer, its beginning and an ellipsis.

    Example:
        >>> shortened("colour", 6), shortened("colours", 6)
        ('colour', 'colou…')
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def legible(token: str) -> str:
    """A token's text for a figure.

    Spaces at either end become ``␣``, line breaks ``⏎``, tabs ``⇥``, other control characters
    their Unicode picture, invisible format characters their code point, and byte tokens such as
    ``<0xE4>`` become ``⟨E4⟩``. ``<``, ``>`` and ``&`` are escaped. Text that runs from right to
    left is isolated, so that it leaves the order of what stands around it alone.

    Args:
        token: The token's text, as `token_text` gives it.

    Returns:
        Text for a name, tick or hover of a plotly figure.

    Example:
        >>> legible(" dog"), legible("<b>"), legible("<0xE4>")
        ('␣dog', '&lt;b&gt;', '⟨E4⟩')
    """
    if _BYTES.fullmatch(token):
        return _BYTE.sub(r"⟨\1⟩", token)
    core = token.strip(" ")
    before = len(token) - len(token.lstrip(" "))
    after = len(token) - len(core) - before
    return "␣" * before + escaped(_isolated("".join(map(_visible, core)))) + "␣" * after


def escaped(text: object) -> str:
    """Text with ``<``, ``>`` and ``&`` escaped; quotes stay, since plotly knows no entity for them.

    Args:
        text: Anything with a string form, such as the name of a curve.

    Returns:
        Text that plotly shows as it was.
    """
    return escape(str(text), quote=False)


def _visible(character: str) -> str:
    if character in _PICTURES:
        return _PICTURES[character]
    if unicodedata.category(character) in _HIDDEN and character not in _JOINERS:
        return f"⟨U+{ord(character):04X}⟩"
    return character


def _isolated(text: str) -> str:
    runs_left = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return f"\u2068{text}\u2069" if runs_left else text


def _bytes_of(piece: str) -> str:
    """A raw vocabulary piece as bytes: byte-level BPE writes each byte as one letter."""
    table = _byte_letters()
    if not all(letter in table for letter in piece) or piece.startswith("<0x"):
        return piece
    return "".join(f"<0x{table[letter]:02X}>" for letter in piece)


@cache
def _byte_letters() -> dict[str, int]:
    """Letter to byte, as byte-level BPE writes it: printable Latin-1 stays, others from U+0100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + index): byte for index, byte in enumerate(moved)
    }
