"""Text for figures: visible whitespace, escaped HTML, shortened names."""

import html
import re
import unicodedata

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


def shortened(text: str, longest: int) -> str:
    """Cut a text to at most ``longest`` characters; a cut text ends in an ellipsis.

    Example:
        >>> shortened("color", 5), shortened("colors", 5)
        ('color', 'colo…')
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def display_token(token: str) -> str:
    """Text of a token for a figure, with spaces and control characters made visible.

    Spaces at either end become ``␣``, line breaks ``⏎``, tabs ``⇥``, other control characters
    their Unicode picture, invisible format characters their code point, and byte tokens such as
    ``<0xE4>`` become ``⟨E4⟩``. ``<``, ``>`` and ``&`` are escaped. Text that runs from right to
    left is isolated, so that it leaves the order of what stands around it alone.

    Args:
        token: The token's text, as `semantic_hub.prompts.words.token_text` gives it.

    Returns:
        Text for a name, tick or hover of a plotly figure.

    Example:
        >>> display_token(" dog"), display_token("<b>"), display_token("<0xE4>")
        ('␣dog', '&lt;b&gt;', '⟨E4⟩')
    """
    if _BYTES.fullmatch(token):
        return _BYTE.sub(r"⟨\1⟩", token)
    core = token.strip(" ")
    before = len(token) - len(token.lstrip(" "))
    after = len(token) - len(core) - before
    return "␣" * before + escape(_isolated("".join(map(_visible, core)))) + "␣" * after


def one_line(text: object) -> str:
    """Text in one line that no terminal takes for a command: control characters made visible.

    Example:
        >>> one_line("a\\nb\\x1b[31m")
        'a⏎b␛[31m'
    """
    return "".join(map(_visible, str(text)))


def escape(text: object) -> str:
    """Escape ``<``, ``>`` and ``&`` for plotly; quotes stay, since plotly has no entity for them.

    Args:
        text: Anything with a string form, such as the name of a curve.

    Returns:
        Text that plotly shows as it was.
    """
    return html.escape(str(text), quote=False)


def _visible(character: str) -> str:
    if character in _PICTURES:
        return _PICTURES[character]
    if unicodedata.category(character) in _HIDDEN and character not in _JOINERS:
        return f"⟨U+{ord(character):04X}⟩"
    return character


def _isolated(text: str) -> str:
    runs_left = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return f"\u2068{text}\u2069" if runs_left else text
