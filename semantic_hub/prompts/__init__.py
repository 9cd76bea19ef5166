"""What is read?

`prompt` defines prompts and read-outs, and tokenizes them; `pairs` holds pairs of prompts with the
same meaning, from lists or from files that `tables` reads. `positions` selects the tokens to read,
`words` finds the tokens of a word. `soft_tokens` puts features of images and sounds into a prompt.
"""

from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import Positions
from semantic_hub.prompts.prompt import (
    HUB,
    NEXT,
    SURFACE,
    Encoding,
    Prompt,
    PromptLike,
    Readout,
    encode,
    tokenize,
)
from semantic_hub.prompts.soft_tokens import SOFT, SOFT_TOKEN, SoftPositions, SoftTokens
from semantic_hub.prompts.words import candidate_tokens, word_tokens

__all__ = [
    "HUB",
    "NEXT",
    "SOFT",
    "SOFT_TOKEN",
    "SURFACE",
    "Encoding",
    "Pairs",
    "Positions",
    "Prompt",
    "PromptLike",
    "Readout",
    "SoftPositions",
    "SoftTokens",
    "candidate_tokens",
    "encode",
    "tokenize",
    "word_tokens",
]
