"""Seconds to prepare 5,000 call sites of the standard library, on one core.

``python tests/benchmarks/bench_code.py`` prints each step in processor time: finding and parsing
the functions, finding the arguments of their calls, making the read-outs, and mapping their places
to the tokens of a byte-level tokenizer that is trained on the same functions beforehand.
"""

import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.spokes.code.files import standard_library_functions
from semantic_hub.spokes.code.places import arguments
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.spoke import argument_readouts

N_SITES = 5_000
LONGEST = 2_000  # characters of a function
TARGET_SECONDS = 60


def trained(programs: tuple[Program, ...]) -> Any:
    """What the mapping asks of a model: a tokenizer, and text to tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=8_000, initial_alphabet=alphabet, special_tokens=["</s>"], show_progress=False
    )
    tokenizer.train_from_iterator((program.code for program in programs), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")
    return SimpleNamespace(
        tokenizer=fast,
        to_tokens=lambda text, **_: torch.tensor([fast(text)["input_ids"]]),
    )


def say(step: str, start: float) -> float:
    """Print how long a step took; returns the time now."""
    now = time.process_time()
    print(f"  {step:<44} {now - start:7.1f} s", flush=True)
    return now


def main() -> None:
    start = begun = time.process_time()
    programs = standard_library_functions(longest=LONGEST)
    start = say(f"{len(programs)} functions found and parsed", start)
    found = [argument for program in programs for argument in arguments(program)]
    start = say(f"{len(found)} arguments read", start)
    readouts = argument_readouts(programs, at_most=N_SITES)
    start = say(f"{len(readouts)} read-outs made", start)
    spent = start - begun
    model = trained(programs)
    start = time.process_time()
    tokens = candidate_tokens(model, readouts)
    spent += say("places mapped to tokens", start) - start
    verdict = "met" if spent <= TARGET_SECONDS and len(readouts) == N_SITES else "MISSED"
    print(f"  {spent:.1f} s in all for {len(readouts)} (target ≤ {TARGET_SECONDS}): {verdict}")
    print(f"  {len(tokens)} kept, dropped: {dict(tokens.dropped)}")
    print(f"  arguments: {dict(Counter(str(argument.problem) for argument in found))}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
