"""Conversions are compared with plain transformers whatever the dtype, and beyond every window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import BASE, HAS_HOOKED, requires_hooked_transformer, save_decoder

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.models.conversion import same_logits
from semantic_hub.models.loading import load_model

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
LONG = 160
GROUPED = {**BASE, "num_key_value_heads": 2, "max_position_embeddings": 256}
TYPES = ["full_attention", "sliding_attention", "sliding_attention"]


def rope(kind: str, **options: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **options}}


YARN = rope("yarn", factor=4.0, original_max_position_embeddings=64)
LINEAR = rope("linear", factor=4.0)
DYNAMIC = rope("dynamic", factor=4.0)
LLAMA3 = rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=64)  # fmt: skip
WINDOWED = {"use_sliding_window": True, "sliding_window": 96, "layer_types": TYPES}

FAITHFUL: dict[str, Callable[[], Any]] = {
    "plain": lambda: transformers.LlamaConfig(**GROUPED),
    "llama3 rope": lambda: transformers.LlamaConfig(**GROUPED, **LLAMA3),
    "every layer windowed": lambda: transformers.MistralConfig(**GROUPED, sliding_window=96),
    "window beyond the context": lambda: transformers.Qwen2Config(
        **GROUPED, **{**WINDOWED, "sliding_window": 4096}
    ),
}
UNFAITHFUL: dict[str, Callable[[], Any]] = {
    "YaRN": lambda: transformers.LlamaConfig(**GROUPED, **YARN),
    "YaRN in Qwen2": lambda: transformers.Qwen2Config(**GROUPED, **YARN),
    "linear rope": lambda: transformers.LlamaConfig(**GROUPED, **LINEAR),
    "rope by length": lambda: transformers.LlamaConfig(**GROUPED, **DYNAMIC),
    "windows in Qwen2": lambda: transformers.Qwen2Config(**GROUPED, **WINDOWED),
    "windows in Qwen3": lambda: transformers.Qwen3Config(**GROUPED, **WINDOWED, head_dim=8),
}


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path
) -> Callable[[str], Path]:
    """Gives the folder of a tiny random model of one of the configurations."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("converted") / "model"
            save_decoder({**FAITHFUL, **UNFAITHFUL}[name](), tokenizer_folder, made[name])
        return made[name]

    return get


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*FAITHFUL, *UNFAITHFUL])
def test_class_and_numbers_do_not_depend_on_the_dtype(
    folder: Callable[[str], Path], name: str, dtype: torch.dtype
) -> None:
    path, ids = folder(name), [token % 290 + 5 for token in range(0, 7 * LONG, 7)]
    plain = transformers.AutoModelForCausalLM.from_pretrained(
        path, dtype=dtype, attn_implementation="eager"
    )
    with torch.no_grad():
        hidden = plain(torch.tensor([ids]), output_hidden_states=True).hidden_states

    model = load_model(path, device="cpu", dtype=dtype)
    states = residual_stream(model, [ids], layers=[0, 1, 2])[0]

    hooked = HAS_HOOKED and name in FAITHFUL
    assert type(model).__name__ == ("HookedTransformer" if hooked else "TransformerBridge")
    assert {p.dtype for p in model.parameters()} == {model.cfg.dtype} == {dtype}
    for state, expected in zip(states, hidden, strict=False):
        assert same_logits(state, expected[0, -1], dtype)


@requires_hooked_transformer
def test_weights_are_shared_with_no_other_weight(folder: Callable[[str], Path]) -> None:
    """Tied matrices become two, so that changing one in place leaves the other as it is."""
    model: Any = load_model(folder("plain"), device="cpu", backend="hooked")
    weights = dict(model.named_parameters())
    assert len({weight.data_ptr() for weight in weights.values()}) == len(weights)
