"""Recipe of hub-mini's training, with its tokenizer, its untrained model and its batches."""

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
    """All settings that determine the weights of hub-mini; written into its manifest.

    Attributes:
        seed: Seed of the initial weights and of the documents of each step.
        world_seed: Seed of the facts and of what is held out.
        d_model: Width of the residual stream; small compared to the vocabulary, so that languages
            have to share it.
        d_mlp: Width of the MLPs.
        n_layers: Number of blocks.
        n_heads: Attention heads in each block.
        d_vocab: Size of the vocabulary, with the four special tokens.
        tokenizer_documents: Number of documents that the tokenizer is trained on.
        n_ctx: Longest input in tokens.
        documents: Documents per step.
        groups: Number of batches of similar length per step, to save padding.
        english_steps: Steps of the first stage, in English only.
        steps: Steps of both stages.
        learning_rate: Peak rate of AdamW (embeddings and norms).
        muon_rate: Peak rate of Muon (the matrices of the blocks).
        warmup: Steps of the linear warm-up.
        weight_decay: Weight decay of the matrices of the blocks.
        clip: Largest norm of the gradient.
        dominant_share: Share of English documents in the second stage.
        digits_share: Share of documents in digits in the second stage.
        python_share: Share of programs in the second stage.
        logic_share: Share of logical forms in the second stage; the other languages share the
            rest.
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
        """Mixture of languages at a step: English in the first stage, then all."""
        if step < self.english_steps:
            return Mixture({DOMINANT: 1.0})
        formal = {DIGITS: self.digits_share, PYTHON: self.python_share, LOGIC: self.logic_share}
        others = (1 - self.dominant_share - sum(formal.values())) / (len(LANGUAGES) - 1)
        shares = dict.fromkeys(LANGUAGES[1:], others)
        weights = {DOMINANT: self.dominant_share, **shares, **formal}
        return Mixture(weights, self.mixed, self.switch)

    def schedule(self, step: int) -> float:
        """Learning rate as a share of the peak: a linear warm-up, then half a cosine to 1/20."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress))


def build_model(recipe: Recipe) -> LlamaForCausalLM:
    """Build an untrained Llama decoder: RMS norms, rotary positions, tied embeddings.

    Its attention is "eager": for rows this short and heads this narrow it trains faster on a CPU
    than the fused kernel.
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
    """Train a byte-level BPE tokenizer on the world's text.

    Digits and punctuation marks are single tokens: digits as in Llama, marks so that every bracket
    and comma of a program is a token. Chinese is written without spaces; for training its words are
    separated, so that no merge crosses a word, but the model's text is unspaced.
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
    """Documents of one step as batches of right-padded tokens ``[document, pos]``, shortest first.

    Each row is one document from BOS to EOS, so that no document attends to another.
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
    """Voice that separates words of unspaced languages by line ends, which no merge crosses."""

    @property
    def grammar(self) -> Grammar:
        """Grammar of the language, with line ends between words if it has no spaces."""
        grammar = super().grammar
        return grammar if grammar.space else replace(grammar, space="\n")


def _tokenizer_text(recipe: Recipe) -> Iterator[str]:
    """Documents that the tokenizer is trained on."""
    world = World(recipe.world_seed)
    corpus = Corpus(world, recipe.mixture(recipe.steps), voice=_Segmented)
    documents = corpus.documents([recipe.world_seed, 4])
    for document in islice(documents, recipe.tokenizer_documents):
        yield document.replace(MIXED, "")


@lru_cache(maxsize=2)
def _corpus(recipe: Recipe, english: bool) -> Corpus:
    """Corpus of a stage."""
    return Corpus(World(recipe.world_seed), recipe.mixture(0 if english else recipe.steps))
