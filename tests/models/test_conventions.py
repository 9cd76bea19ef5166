"""BOS and end tokens are those of the checkpoint's own files, unless the caller names others."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import BACKENDS, CONFIGS, save_decoder, train_tokenizer
from tokenizers import processors

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.interventions.text.generation import Sampling, generate_texts
from semantic_hub.models.conventions import end_tokens
from semantic_hub.models.loading import describe, load_model
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.prompt import encode

GREEDY = Sampling(max_new_tokens=8, top_p=1e-6, seeds=(0,))
PROMPT = "The dog barks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama whose tokenizer knows a BOS token but adds none, and with two end tokens."""
    tokenizer = train_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()
    made, tokenizers = (tmp_path_factory.mktemp(name) for name in ("model", "tokenizer"))
    tokenizer.save_pretrained(tokenizers)
    save_decoder(CONFIGS["llama"](), tokenizers, made)
    model = load_model(made, device="cpu")
    third = generate_texts(model, [PROMPT], GREEDY)[0].new_tokens[2]
    file = made / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"eos_token_id": [1, third]}))
    return made


@pytest.mark.parametrize("backend", BACKENDS)
def test_bos_only_where_the_checkpoints_tokenizer_puts_one(folder: Path, backend: Any) -> None:
    own = transformers.AutoTokenizer.from_pretrained(folder)
    model = load_model(folder, device="cpu", backend=backend)
    [encoding, with_its_own] = encode(model, [PROMPT, f"<s>{PROMPT}"])

    assert list(encoding.tokens) == own(PROMPT)["input_ids"]
    assert encoding.own_positions == range(len(encoding))
    assert list(with_its_own.tokens) == own(f"<s>{PROMPT}")["input_ids"]
    assert with_its_own.own_positions == range(1, len(encoding) + 1)
    assert describe(model)["default_prepend_bos"] is False
    assert encode(random_twin(model), [PROMPT]) == [encoding]


@pytest.mark.parametrize("backend", BACKENDS)
def test_bos_where_the_caller_says_so(folder: Path, backend: Any) -> None:
    model = load_model(folder, device="cpu", backend=backend, prepend_bos=True)
    assert encode(model, [PROMPT])[0].tokens[0] == model.tokenizer.bos_token_id
    assert describe(model)["default_prepend_bos"] is True


def test_no_bos_where_the_caller_says_so() -> None:
    model = load_model("planted-hub", device="cpu", prepend_bos=False)
    assert not describe(model)["default_prepend_bos"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_end_token_of_the_checkpoint_ends_a_text(folder: Path, backend: Any) -> None:
    model = load_model(folder, device="cpu", backend=backend)
    other = load_model(folder, device="cpu", backend=backend, end_tokens=())
    [short], [whole] = (generate_texts(m, [PROMPT], GREEDY) for m in (model, other))

    assert len(whole.new_tokens) == 8
    assert short.new_tokens == whole.new_tokens[:2]
    assert describe(model)["end_tokens"] == sorted([1, whole.new_tokens[2]])
    assert end_tokens(random_twin(model)) == end_tokens(model)
    assert end_tokens(other) == (model.tokenizer.eos_token_id,)


@pytest.mark.slow
def test_states_of_a_real_model_are_those_of_plain_transformers(real_folder: Path) -> None:
    """From text to states, with nothing of ours between: tokenizer and model as they are."""
    own = transformers.AutoTokenizer.from_pretrained(real_folder)
    plain = transformers.AutoModelForCausalLM.from_pretrained(real_folder)
    with torch.no_grad():
        hidden = plain(**own(PROMPT, return_tensors="pt"), output_hidden_states=True).hidden_states
    model = load_model(real_folder, device="cpu")
    layers = list(range(model.cfg.n_layers))
    [states] = residual_stream(model, [PROMPT], layers=layers)
    for state, expected in zip(states, hidden, strict=False):
        assert (state - expected[0, -1]).norm() <= 1e-4 * expected[0, -1].norm()
