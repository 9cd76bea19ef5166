"""A tiny model whose words for colors and shapes are one token each."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from seeing import WORDS
from tiny import BACKENDS, CONFIGS, randomise
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import semantic_hub as sh


@pytest.fixture(scope="module")
def seeing_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with tied embeddings; each word of the pictures is one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{word} {word}" for word in WORDS] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    folder = tmp_path_factory.mktemp("seeing")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = CONFIGS["llama-tied"]()
    config.vocab_size = 400
    network = randomise(transformers.AutoModelForCausalLM.from_config(config))
    table = network.model.embed_tokens.weight.data
    table /= table.norm(dim=1, keepdim=True)  # then no word is nearer to an embedding than its own
    network.model.norm.weight.data.fill_(1)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=BACKENDS)
def seeing(request: pytest.FixtureRequest, seeing_folder: Path) -> Any:
    return sh.load_model(seeing_folder, device="cpu", backend=request.param)
