"""Tiny models of many architectures with random weights, and what tests say to them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from semantic_hub.models.checkpoints import hooked_transformer_class

HAS_HOOKED = hooked_transformer_class() is not None
requires_hooked_transformer = pytest.mark.skipif(
    not HAS_HOOKED, reason="this TransformerLens has no HookedTransformer (4.x)"
)
BACKENDS = [pytest.param("hooked", marks=requires_hooked_transformer), "bridge"]

CORPUS = [
    "The dog barks at the cat and the cat runs away from the dog.",
    "El perro ladra al gato y el gato huye del perro.",
    "c equals a plus b, two plus three equals five, 2+3=5, 4*5=20.",
]
SENTENCES = [
    "The dog barks.",
    "El perro ladra al gato y el gato huye del perro.",
    "2+3=",
    "two plus three equals five and the cat runs away from the dog",
    "cat",
]

D_VOCAB = 300
_SIZES = {"vocab_size": D_VOCAB, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
BASE = {
    **_SIZES,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
_GROUPED = {**BASE, "num_key_value_heads": 2}

CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**_GROUPED, tie_word_embeddings=False),
    "llama-tied": lambda: transformers.LlamaConfig(**_GROUPED, tie_word_embeddings=True),
    "gpt2": lambda: transformers.GPT2Config(
        **_SIZES, n_embd=32, n_layer=3, n_head=4, n_positions=64
    ),
    "neox": lambda: transformers.GPTNeoXConfig(**BASE),
    "qwen2": lambda: transformers.Qwen2Config(**_GROUPED),
    "mistral": lambda: transformers.MistralConfig(**_GROUPED, sliding_window=None),
    "gemma2": lambda: transformers.Gemma2Config(
        **_GROUPED, head_dim=8, sliding_window=64, query_pre_attn_scalar=8,
        final_logit_softcapping=5.0,
    ),
}  # fmt: skip
DECODERS = list(CONFIGS)
WINDOW = 4
OTHERS: dict[str, Callable[[], Any]] = {
    "gemma2-window": lambda: transformers.Gemma2Config(
        **_GROUPED, head_dim=8, sliding_window=WINDOW, query_pre_attn_scalar=8,
        final_logit_softcapping=5.0, attn_logit_softcapping=10.0,
    ),
    "gemma3-window": lambda: transformers.Gemma3TextConfig(
        **_GROUPED, head_dim=8, sliding_window=WINDOW, query_pre_attn_scalar=8,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
    "qwen3": lambda: transformers.Qwen3Config(**_GROUPED, head_dim=8),
    "mistral-window": lambda: transformers.MistralConfig(**_GROUPED, sliding_window=WINDOW),
    "opt": lambda: transformers.OPTConfig(
        **{**BASE, "ffn_dim": 48}, word_embed_proj_dim=32, do_layer_norm_before=True
    ),
}  # fmt: skip
"""Architectures whose attention differs: windows shorter than a sentence, norms of queries."""

_BRIDGE_ALONE = {"gemma2", *OTHERS} - {"qwen3"}
ON_EACH_CLASS = [
    pytest.param(
        architecture, *getattr(backend, "values", [backend]), marks=getattr(backend, "marks", ())
    )
    for architecture in [*CONFIGS, *OTHERS]
    for backend in BACKENDS
    if backend == "bridge" or architecture not in _BRIDGE_ALONE
]
"""Every architecture, as each class that can have it."""


def save_decoder(config: Any, tokenizer_folder: Path, folder: Path) -> None:
    torch.manual_seed(0)
    randomise(transformers.AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tokenizer_folder).save_pretrained(folder)


def randomise(network: Any) -> Any:
    """Weights large enough for every block to matter, norms and biases included."""
    for name, parameter in network.named_parameters():
        noise = torch.randn_like(parameter)
        parameter.data = 1 + 0.2 * noise if _is_gain(name) else parameter.data * 2 + 0.05 * noise
    return network


def _is_gain(name: str) -> bool:
    return "norm" in name.lower() and name.endswith("weight")


def train_tokenizer() -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=D_VOCAB,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
