"""What must be read elsewhere for a report of `States`: all prompts that its sets go by."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from semantic_hub.activations.recorded import States
from semantic_hub.alignment.controls import romanized_pairs, shuffled_tokens
from semantic_hub.errors import as_list
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt


def prompts_to_record(
    spokes: Spoke | Sequence[Spoke], *, tokenizer: Any | None = None, seed: int = 0
) -> list[Prompt]:
    """List the prompts that a report of `States` reads: pairs, their controls, and read-outs.

    Read each of them in your own way, at its ``position`` (the last token if that is None), at
    every layer, and make `States` of the list and what you read. Sets of which prompts are missing
    are left out of the report, and said so.

    Args:
        spokes: What is to be measured.
        tokenizer: The model's, for the control of shuffled tokens, whose prompts are token ids;
            without it that control is left out.
        seed: That of the report's `Resampling`.

    Returns:
        Each prompt once. Those of a ``text`` are for the model's tokenizer as it is; those with
        ``tokens`` are complete.

    Raises:
        SemanticHubError: Something that is no spoke, or no tokenizer.

    Example:
        >>> class Words(Spoke):
        ...     name = "words"
        ...     def pairs(self):
        ...         return {"en – es": Pairs.from_prompts(["dog", "cat"], ["perro", "gato"])}
        >>> [prompt.text for prompt in prompts_to_record(Words())]
        ['dog', 'cat', 'perro', 'gato']
    """
    found: list[Prompt] = []
    for spoke in as_list("prompts_to_record", "spokes", spokes, Spoke):
        for pairs in spoke.pairs().values():
            found += _of_pairs(pairs, tokenizer, seed)
        for pairs in spoke.hard_negatives().values():
            found += [*pairs.x, *pairs.y]
        for readouts in spoke.readouts().values():
            found += [readout.prompt for readout in readouts]
        for prompts in spoke.spelled_out().values():
            found += prompts
        for named in spoke.concepts().values():
            found += named.values()
    return list(dict.fromkeys(found))


def _of_pairs(pairs: Pairs, tokenizer: Any | None, seed: int) -> Iterator[Prompt]:
    """Prompts of pairs and of the controls that are made of them."""
    rows = [pairs, romanized_pairs(pairs)]
    if tokenizer is not None:
        reader = States(["-"], torch.ones(1, 1, 1), tokenizer=tokenizer)
        rows.append(shuffled_tokens(reader, pairs, seed))
    for row in rows:
        if row is not None:
            yield from (*row.x, *row.y)
