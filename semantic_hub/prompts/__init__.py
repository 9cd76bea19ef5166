"""What is read?

`prompt` has prompts, read-outs and their token ids; `pairs` pairs of prompts that mean the same,
from lists or `tables`. `positions` says at which tokens to read, `words` which tokens a word is.
`soft_tokens` are places in a prompt for features of pictures and sounds.
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
    "Encoding",
    "HUB",
    "NEXT",
    "Pairs",
    "Positions",
    "Prompt",
    "PromptLike",
    "Readout",
    "SOFT",
    "SOFT_TOKEN",
    "SURFACE",
    "SoftPositions",
    "SoftTokens",
    "candidate_tokens",
    "encode",
    "tokenize",
    "word_tokens",
]
