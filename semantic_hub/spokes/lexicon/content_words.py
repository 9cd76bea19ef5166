"""Content words of a short text, such as a label or a caption."""

import re
from collections.abc import Collection


def content_words(text: str, pattern: re.Pattern[str], without: Collection[str]) -> tuple[str, ...]:
    """Distinct words of a text, in lower case and in order of appearance, without stop words.

    Args:
        text: The text.
        pattern: Pattern of a word.
        without: Words in lower case that carry no content.

    Example:
        >>> content_words("Playing the drum, the drum", re.compile(r"\\w+"), {"the"})
        ('playing', 'drum')
    """
    words = pattern.findall(text.lower())
    return tuple(dict.fromkeys(word for word in words if word not in without))
