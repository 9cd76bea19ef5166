"""Where a text is cut for a read-out, and where its tokens end.

A prompt cut out of a longer text has tokens of its own, and they need not be those that the whole
text begins with: where a token spans the cut (``((``, ``',``, ``("``), the model never stands there
when it reads the text. Such a read-out is told apart by the tokens of the whole text.
"""

from collections.abc import Callable, Sequence
from functools import cache

from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Readout, read_tokens
from semantic_hub.prompts.words import CROSSES, SPLIT


def following_tokens(model: HookedModel, readouts: Sequence[Readout]) -> list[int | str | None]:
    """The token that really follows each read-out, or why it cannot be read there.

    With t(x) the tokens of a text as the model reads it, BOS included, a prompt p that f follows is
    read only where t(p f) begins with all of t(p) and goes on; the next token of t(p f) follows.
    Where a next word w is named, t(p f) must begin with t(p w), which must be one token longer.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        readouts: Read-outs, with or without a text that follows.

    Returns:
        For each read-out a token id, `semantic_hub.prompts.words.CROSSES` or `semantic_hub.prompts.words.SPLIT`;
        None where no text follows.

    Example:
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> readout = Readout(Prompt("the dog"), {"hub": ("horse",)}, " cat", " cat")
        >>> [token] = following_tokens(model, [readout])
        >>> model.tokenizer.decode([token]).strip()
        'cat'
    """
    tokens = cache(lambda text: read_tokens(model, text))
    return [_following(tokens, readout) if readout.following else None for readout in readouts]


def _following(tokens: Callable[[str], tuple[int, ...]], readout: Readout) -> int | str:
    text = readout.prompt.text or ""
    before, whole = tokens(text), tokens(text + readout.following)
    if whole[: len(before)] != before or len(whole) == len(before):
        return CROSSES
    if readout.next_word and tokens(text + readout.next_word) != whole[: len(before) + 1]:
        return SPLIT
    return whole[len(before)]
