"""What hub-mini is made from: the recipe, its tokenizer, its untrained model, and its batches."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import torch
from jaxtyping import Int
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semantic_hub.spokes.lexicon.numbers import DIGITS
from semantic_hub.zoo.world.corpus import MIXED, Corpus, Mixture
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES, Grammar, Voice
from semantic_hub.zoo.world.programs import LOGIC, PYTHON

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
PAD_ID, BOS_ID, EOS_ID = 0, 1, 2


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights of hub-mini; written into its manifest.

    Attributes:
        seed: Of the initial weights and of the documents of each step.
        world_seed: Of the facts and of what is held out.
        d_model: Width of the residual stream; small against the vocabulary, so that languages
            have to share it.
        d_mlp: Width of the MLPs.
        n_layers: Blocks.
        n_heads: Attention heads in each.
        d_vocab: Tokens, the four special ones included.
        tokenizer_documents: Documents that the tokenizer is trained on.
        n_ctx: Longest input.
        documents: Documents of one step.
        groups: Into how many rows of like length they are sorted, to save padding.
        english_steps: Steps of the first stage.
        steps: Steps of both.
        learning_rate: Peak rate of AdamW (embeddings and norms).
        muon_rate: Peak rate of Muon (the matrices of the blocks).
        warmup: Steps in which the rates rise.
        weight_decay: Of the matrices of the blocks.
        clip: Largest norm of the gradient.
        dominant_share: Share of English documents in the second stage.
        digits_share: Share of documents in digits in the second stage.
        python_share: Share of programs in the second stage.
        logic_share: Share of logical forms in the second stage; the other languages divide what
            is left.
        mixed: See `Mixture`.
        switch: See `Mixture`.
    """

    seed: int = 0
    world_seed: int = 0
    d_model: int = 96
    d_mlp: int = 384
    n_layers: int = 8
    n_heads: int = 4
    d_vocab: int = 4096
    tokenizer_documents: int = 40_000
    n_ctx: int = 256
    documents: int = 192
    groups: int = 3
    english_steps: int = 600
    steps: int = 4500
    learning_rate: float = 3e-3
    muon_rate: float = 0.02
    warmup: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    dominant_share: float = 0.72
    digits_share: float = 0.05
    python_share: float = 0.05
    logic_share: float = 0.04
    mixed: float = 0.6
    switch: float = 0.8

    def mixture(self, step: int) -> Mixture:
        """The languages of the text at one step: English first, then all."""
        if step < self.english_steps:
            return Mixture({DOMINANT: 1.0})
        formal = {DIGITS: self.digits_share, PYTHON: self.python_share, LOGIC: self.logic_share}
        others = (1 - self.dominant_share - sum(formal.values())) / (len(LANGUAGES) - 1)
        shares = dict.fromkeys(LANGUAGES[1:], others)
        weights = {DOMINANT: self.dominant_share, **shares, **formal}
        return Mixture(weights, self.mixed, self.switch)

    def schedule(self, step: int) -> float:
        """The share of the peak learning rate: a linear warm-up, then half a cosine to 1/20."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def build_model(recipe: Recipe) -> LlamaForCausalLM:
    """A fresh Llama-layout decoder: RMS norms, rotary positions, tied embeddings.

    Its attention is written out ("eager"): for rows this short and heads this narrow that trains
    faster on a CPU than the fused kernel.
    """
    config = LlamaConfig(
        vocab_size=recipe.d_vocab,
        hidden_size=recipe.d_model,
        intermediate_size=recipe.d_mlp,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_heads,
        max_position_embeddings=recipe.n_ctx,
        tie_word_embeddings=True,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
    )
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM._from_config(config, attn_implementation="eager")


def build_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """A byte-level BPE of the world's own text; digits and punctuation marks stand alone, the
    digits as in Llama, the marks so that every bracket and comma of a program is a token.

    Chinese is written without spaces. For training its words are set apart, so that no merge
    crosses a word; the text the model reads is unspaced.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}| ?[\p{P}\p{S}]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.d_vocab,
        special_tokens=[PAD, BOS, EOS, MIXED],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_tokenizer_text(recipe), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, BOS_ID)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[MIXED],
        model_max_length=recipe.n_ctx,
        world_seed=recipe.world_seed,
        clean_up_tokenization_spaces=False,
    )


def batches(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, step: int
) -> list[Int[Tensor, "_document _pos"]]:
    """The documents of one step as right-padded token rows, ``[document, pos]``, short ones first.

    Every document is a row of its own, from BOS to EOS, so that none sees another.
    """
    corpus = _corpus(recipe, step < recipe.english_steps)
    texts = list(islice(corpus.documents([recipe.seed, 3, step]), recipe.documents))
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows = [torch.tensor([BOS_ID, *row[: recipe.n_ctx - 2], EOS_ID]) for row in encoded]
    rows.sort(key=len)
    size = -(-len(rows) // recipe.groups)
    groups = (rows[start : start + size] for start in range(0, len(rows), size))
    return [pad_sequence(group, batch_first=True, padding_value=PAD_ID) for group in groups]


class _Segmented(Voice):
    """Sets words of an unspaced language apart by line ends, which no merge crosses."""

    @property
    def grammar(self) -> Grammar:
        own = super().grammar
        return own if own.space else replace(own, space="\n")


def _tokenizer_text(recipe: Recipe) -> Iterator[str]:
    world = World(recipe.world_seed)
    corpus = Corpus(world, recipe.mixture(recipe.steps), voice=_Segmented)
    documents = corpus.documents([recipe.world_seed, 4])
    for document in islice(documents, recipe.tokenizer_documents):
        yield document.replace(MIXED, "")


@lru_cache(maxsize=2)
def _corpus(recipe: Recipe, english: bool) -> Corpus:
    return Corpus(World(recipe.world_seed), recipe.mixture(0 if english else recipe.steps))
