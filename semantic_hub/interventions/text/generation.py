"""Sample continuations of prompts, the same for the same seeds."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.batches import equal_length_batches, pad
from semantic_hub.activations.features import FeatureInjector
from semantic_hub.activations.generating import generate_changed
from semantic_hub.activations.growing import starts_where_it_acts
from semantic_hub.errors import SemanticHubError, check_kinds, set_tuples
from semantic_hub.interventions.steering.continuations import before_end, check_room
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.runs import Steered, SteeredRuns, SteeringOptions
from semantic_hub.models.conventions import end_tokens
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token, last_logits_alone
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Encoding, Prompts, encode
from semantic_hub.prompts.soft_tokens import PlacedSoftTokens


@dataclass(frozen=True)
class Sampling:
    """Settings for sampling texts; the defaults are those of Wu et al. 2025.

    Args:
        max_new_tokens: The longest continuation; it is shorter where the model ends it.
        temperature: Logits are divided by it, above 0.
        top_p: The likeliest tokens are kept until their probabilities reach this, 0 to 1.
        frequency_penalty: Taken from a token's logit each time that it occurs, at least 0. As
            TransformerLens counts, the prompt's tokens do too, the BOS among them.
        seeds: One continuation of every prompt for each.

    Raises:
        SemanticHubError: A number out of range, or seeds that are missing, repeated or negative.

    Example:
        >>> Sampling(max_new_tokens=20).top_p
        0.3

    Source:
        Wu et al. 2025, arXiv 2411.04986 (steering of text by sentiment).
    """

    max_new_tokens: int = 32
    temperature: float = 1.0
    top_p: float = 0.3
    frequency_penalty: float = 1.0
    seeds: tuple[int, ...] = tuple(range(10))
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, seeds=int)
        check_kinds(
            "Sampling",
            max_new_tokens=(self.max_new_tokens, int),
            temperature=(self.temperature, float),
            top_p=(self.top_p, float),
            frequency_penalty=(self.frequency_penalty, float),
        )
        _check("max_new_tokens", self.max_new_tokens, self.max_new_tokens >= 1, "at least 1")
        _check("temperature", self.temperature, self.temperature > 0, "above 0")
        _check("top_p", self.top_p, 0 < self.top_p <= 1, "above 0, at most 1")
        penalty = self.frequency_penalty
        _check("frequency_penalty", penalty, penalty >= 0, "at least 0")
        are_valid = len(set(self.seeds)) == len(self.seeds) > 0 and min(self.seeds) >= 0
        _check("seeds", self.seeds, are_valid, "different whole numbers of at least 0, one or more")


@dataclass(frozen=True)
class Generation:
    """One continuation of one prompt.

    Args:
        prompt: Index of the prompt in the list that was given.
        seed: The seed of this continuation.
        prompt_tokens: Tokens of the prompt, BOS included.
        new_tokens: Tokens that were generated, before the first end token; empty where the model
            ended the text at once.
        prompt_text: The prompt as text, without special tokens; `SOFT` for each span of features.
        text: The continuation as text, without special tokens.
        soft: The features that the prompt holds; their tokens are placeholders.
    """

    prompt: int
    seed: int
    prompt_tokens: tuple[int, ...]
    new_tokens: tuple[int, ...]
    prompt_text: str
    text: str
    soft: tuple[PlacedSoftTokens, ...] = ()
    __repr__ = short_repr


def generate_texts(
    model: HookedModel,
    prompts: Prompts,
    sampling: Sampling | None = None,
    *,
    batch_size: int | Literal["auto"] = "auto",
) -> list[Generation]:
    """Continue every prompt once for each seed.

    Prompts of the same number of tokens share a batch, so that nothing is padded. The same call
    gives the same texts; since a batch draws from one stream of random numbers, another batch size
    gives other texts. The caller's random state is left as it was.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge`` with a tokenizer; hooks that are on
            it, as those of `semantic_hub.interventions.steering.hook.steer`, apply.
        prompts: Text, :class:`~semantic_hub.prompts.prompt.Prompt` objects or token ids.
        sampling: How to sample; None for the defaults of `Sampling`.
        batch_size: Prompts per batch, and texts that go on together; ``"auto"`` fills a fixed
            number of tokens.

    Returns:
        One `Generation` for each prompt and seed; all seeds of a prompt, then the next prompt.

    Raises:
        SemanticHubError: No prompts, an empty one, or one that leaves too little of the model's
            context; a model without a tokenizer, or that predicts no next token.

    Example:
        >>> texts = generate_texts(model, ["bad, sad,"], Sampling(max_new_tokens=8, seeds=(0, 1)))
        >>> [(text.prompt, text.seed, text.prompt_text) for text in texts]
        [(0, 0, 'bad, sad,'), (0, 1, 'bad, sad,')]
    """
    check_model(model)
    check_kinds("generate_texts", sampling=(sampling, (Sampling, None)))
    check_predicts_next_token(model, "generate_texts")
    sampling = sampling or Sampling()
    encodings = encode(model, prompts)
    check_room("generate_texts", model, encodings, sampling.max_new_tokens)
    options = SteeringOptions("last", "add")
    return steered_texts(model, encodings, sampling, Steered((), 0.0), options, batch_size)


def steered_texts(
    model: HookedModel,
    encodings: Sequence[Encoding],
    sampling: Sampling,
    steering: Steered,
    options: SteeringOptions,
    batch_size: int | Literal["auto"] = "auto",
) -> list[Generation]:
    """Continue every prompt once for each seed, as `generate_texts` under `steer`.

    All at once, from where steering acts, on a model where that gives the same.

    Args:
        model: A decoder.
        encodings: The prompts' tokens, and their features.
        sampling: How to sample.
        steering: What is steered by.
        options: Where and how.
        batch_size: As in `generate_texts`.

    Example:
        >>> direction = sh.activation_difference(model, "good", "bad", layer=4)
        >>> prompts, sampling = ["bad, sad,"], Sampling(max_new_tokens=8, seeds=(0,))
        >>> ours = steered_texts(model, encode(model, prompts), sampling,
        ...                      Steered((direction,), 2.0), SteeringOptions("all", "add"))
        >>> with sh.steer(model, direction, 2.0):
        ...     ours == generate_texts(model, prompts, sampling)
        True
    """
    cells = [(prompt, seed) for prompt in range(len(encodings)) for seed in sampling.seeds]
    if starts_where_it_acts(model):
        new_tokens = _from_where_it_acts(
            model, encodings, sampling, steering, options, batch_size, cells
        )
    else:
        new_tokens = _from_the_start(model, encodings, sampling, steering, options, batch_size)
    return [
        _generation(model.tokenizer, prompt, seed, encodings[prompt], new_tokens[prompt, seed])
        for prompt, seed in cells
    ]


def _from_where_it_acts(
    model: HookedModel,
    encodings: Sequence[Encoding],
    sampling: Sampling,
    steering: Steered,
    options: SteeringOptions,
    batch_size: int | Literal["auto"],
    cells: Sequence[tuple[int, int]],
) -> dict[tuple[int, int], tuple[int, ...]]:
    """New tokens by prompt and seed, of all of them together."""
    runs = SteeredRuns(model, encodings, [steering], options, [(0, prompt) for prompt, _ in cells])
    new_tokens = generate_changed(
        model,
        encodings,
        runs.runs,
        runs.edits,
        max_new_tokens=sampling.max_new_tokens,
        choose=_Sampler(encodings, sampling, cells, batch_size),
        batch_size=batch_size,
    )
    return dict(zip(cells, new_tokens, strict=True))


def _from_the_start(
    model: HookedModel,
    encodings: Sequence[Encoding],
    sampling: Sampling,
    steering: Steered,
    options: SteeringOptions,
    batch_size: int | Literal["auto"],
) -> dict[tuple[int, int], tuple[int, ...]]:
    """The same by the model's own ``generate``, for prompts of one length and a seed at a time."""
    lengths = [len(encoding) for encoding in encodings]
    found = {}
    for indices, _ in equal_length_batches(lengths, sampling.max_new_tokens, batch_size):
        positions, mode = options.rows(indices)
        with ExitStack() as steered:
            for direction in steering.directions:
                rows = direction.rows(indices)
                steered.enter_context(
                    steer(model, rows, steering.strength, positions=positions, mode=mode)
                )
            for seed in sampling.seeds:
                new = _sample(model, encodings, indices, sampling, seed)
                found.update(zip([(prompt, seed) for prompt in indices], new, strict=True))
    return found


class _Sampler:
    """Draw the next tokens of texts as ``generate`` does for each batch of prompts and each seed.

    A token is drawn as torch draws one: the largest share of its probability in an exponential
    random number. These numbers are those of the whole batch, whichever of its texts go on.
    """

    def __init__(
        self,
        encodings: Sequence[Encoding],
        sampling: Sampling,
        cells: Sequence[tuple[int, int]],
        batch_size: int | Literal["auto"],
    ) -> None:
        self.encodings, self.sampling, self.cells = encodings, sampling, cells
        lengths = [len(encoding) for encoding in encodings]
        batches = equal_length_batches(lengths, sampling.max_new_tokens, batch_size)
        self.batch_of = {prompt: indices for indices, _ in batches for prompt in indices}
        self.drawn: dict[tuple[int, int], tuple[int, Tensor, torch.Generator]] = {}

    def __call__(
        self,
        runs: Sequence[int],
        tokens: Int[Tensor, "run pos"],
        logits: Float[Tensor, "run d_vocab"],
    ) -> Int[Tensor, " run"]:
        share = self._probabilities(tokens.to(logits.device), logits)
        noise = torch.stack([self._noise(run, tokens.shape[1], logits.shape[1]) for run in runs])
        return (share / noise.to(share)).argmax(dim=-1)

    def _probabilities(
        self, tokens: Int[Tensor, "run pos"], logits: Float[Tensor, "run d_vocab"]
    ) -> Float[Tensor, "run d_vocab"]:
        """What tokens are drawn from, after penalty and cut."""
        logits = logits / self.sampling.temperature
        if self.sampling.frequency_penalty > 0:
            ones = torch.ones_like(tokens, dtype=logits.dtype)
            counts = torch.zeros_like(logits).scatter_add_(1, tokens, ones)
            logits = logits - self.sampling.frequency_penalty * counts
        ordered, order = logits.sort(descending=True)
        cut = ordered.softmax(dim=-1).cumsum(dim=-1) > self.sampling.top_p
        cut = torch.cat([torch.zeros_like(cut[:, :1]), cut[:, :-1]], dim=1)
        logits = logits.masked_fill(cut.scatter(1, order, cut), -torch.inf)
        return (logits - logits.logsumexp(dim=-1, keepdim=True)).softmax(dim=-1)

    def _noise(self, run: int, n_tokens: int, d_vocab: int) -> Float[Tensor, " d_vocab"]:
        """Exponential random numbers of one text's next token."""
        prompt, seed = self.cells[run]
        batch, step = self.batch_of[prompt], n_tokens - len(self.encodings[prompt])
        key = batch[0], seed
        if key not in self.drawn or self.drawn[key][0] != step:
            if step == 0:
                generator = torch.Generator().manual_seed(_batch_seed(seed, batch[0]))
            else:
                generator = self.drawn[key][2]
            drawn = torch.empty(len(batch), d_vocab, dtype=torch.float32)
            self.drawn[key] = step, drawn.exponential_(generator=generator), generator
        return self.drawn[key][1][batch.index(prompt)]


@torch.no_grad()
def _sample(
    model: HookedModel,
    encodings: Sequence[Encoding],
    indices: Sequence[int],
    sampling: Sampling,
    seed: int,
) -> list[tuple[int, ...]]:
    """The new tokens of one batch of prompts, all of the same length."""
    batch, injector = pad(model, encodings, indices), FeatureInjector(model, encodings)
    end = end_tokens(model)
    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        injector.injecting(),
        last_logits_alone(model),
    ):
        torch.manual_seed(_batch_seed(seed, indices[0]))
        injector.start(batch)
        output = model.generate(
            batch.tokens.to(model.cfg.device),
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            freq_penalty=sampling.frequency_penalty,
            do_sample=True,
            stop_at_eos=bool(end),
            eos_token_id=end or None,
            return_type="tokens",
            verbose=False,
        )
    return [tuple(before_end(row, end)) for row in output[:, batch.tokens.shape[1] :].tolist()]


def _batch_seed(seed: int, first_prompt: int) -> int:
    """Seed of one batch: batches of one seed must not draw the same numbers."""
    return int(np.random.SeedSequence([seed, first_prompt]).generate_state(1)[0])


def _generation(
    tokenizer: Any, prompt: int, seed: int, encoding: Encoding, new: tuple[int, ...]
) -> Generation:
    """One continuation; its text is cut from that of the whole, to keep a space at its start."""
    as_text, prompt_tokens = partial(_text, tokenizer), encoding.tokens
    prompt_text = encoding.text(as_text)
    whole = replace(encoding, tokens=prompt_tokens + new).text(as_text)
    is_prefix = whole.startswith(prompt_text)
    text = whole[len(prompt_text) :] if is_prefix else _text(tokenizer, new)
    return Generation(prompt, seed, prompt_tokens, new, prompt_text, text, encoding.soft)


def _text(tokenizer: Any, tokens: Sequence[int]) -> str:
    """Text of tokens without the special ones, spaces as they are."""
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    return str(tokenizer.decode(list(tokens), **options))


def _check(name: str, got: object, is_valid: bool, expected: str) -> None:
    """Raise unless a setting is valid."""
    if not is_valid:
        fix = f"Give {name} in that range."
        raise SemanticHubError("Sampling", got=f"{name}={got!r}", expected=expected, fix=fix)
