"""Time of a language table for a real size of vocabulary, built and read back from the cache.

``python tests/benchmarks/bench_language_mass.py`` trains a byte-level BPE tokenizer of 32,000
tokens on the word lists themselves, words as often as they are used, and prints the times. The
first 2,000 spellings of each list are also tokenised one at a time, to compare the numbers.
"""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from tempfile import TemporaryDirectory

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from semantic_hub.lenses.mass.cache import language_table
from semantic_hub.lenses.mass.table import REASONS, spellings, token_frequencies
from semantic_hub.lenses.mass.word_lists import word_list
from semantic_hub.prompts.words import continuation

LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "nl", "ru", "zh", "ja")
D_VOCAB, TARGET_SECONDS, COMPARED = 32_000, 60, 2_000


def corpus() -> Iterator[str]:
    """Every word with a space before it, up to a thousand times."""
    for language in LANGUAGES:
        for word, share in word_list(language).items():
            yield f" {word}" * max(1, min(1000, round(share * 1e5)))


def train_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of `D_VOCAB` tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=D_VOCAB,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def one_at_a_time(tokenizer: PreTrainedTokenizerFast, words: dict[str, float]) -> np.ndarray:
    """`token_frequencies` in its plainest form."""
    counts: Counter[int] = Counter()
    for spelling, weight in spellings(words).items():
        for token in continuation(tokenizer, spelling):
            counts[token] += weight
    shares = np.zeros(D_VOCAB)
    shares[list(counts)] = list(counts.values())
    return shares / shares.sum()


def print_times(tokenizer: PreTrainedTokenizerFast) -> None:
    """Print how long the table takes, new and cached, and what is in it."""
    with TemporaryDirectory() as cache:
        for name in ("built", "read from the cache"):
            start, cpu = time.perf_counter(), time.process_time()
            table = language_table(tokenizer, LANGUAGES, D_VOCAB, cache_dir=cache)
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            verdict = "met" if wall <= TARGET_SECONDS else "MISSED"
            target = f"  (target ≤ {TARGET_SECONDS} s: {verdict})" if name == "built" else ""
            print(f"  {name:<24} {wall:7.2f} s, processor {cpu:7.2f} s{target}")
    shares = table.posterior([1 / len(LANGUAGES)] * len(LANGUAGES)).mean(dim=0).tolist()
    for name, share in zip((*LANGUAGES, *REASONS), shares, strict=True):
        print(f"  of the vocabulary: {name:<10} {share:.3f}")


def print_differences(tokenizer: PreTrainedTokenizerFast) -> None:
    """Print how far the fast form is from one spelling at a time, and how much faster."""
    times, difference = [0.0, 0.0], 0.0
    for language in LANGUAGES:
        words = dict(islice(word_list(language).items(), COMPARED // 6))
        results = []
        for index, count in enumerate((fast, one_at_a_time)):
            start = time.process_time()
            results.append(count(tokenizer, words))
            times[index] += time.process_time() - start
        difference = max(difference, float(abs(results[0] - results[1]).max()))
    print(f"  largest difference from one spelling at a time: {difference:.1e}")
    print(f"  one spelling at a time / fast: {times[1] / times[0]:.1f}×")


def fast(tokenizer: PreTrainedTokenizerFast, words: dict[str, float]) -> np.ndarray:
    """`token_frequencies` as an array."""
    return token_frequencies(tokenizer, words, D_VOCAB).numpy()


if __name__ == "__main__":
    trained = train_tokenizer()
    print(f"{len(trained)} tokens, {len(LANGUAGES)} languages")
    print_times(trained)
    print_differences(trained)
