"""What is known of a model's weights: processed or not, and of which commit."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from tiny import BACKENDS, DECODERS, requires_hooked_transformer

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubWarning
from semantic_hub.models.loading import check_model, describe, load_model
from semantic_hub.models.provenance import processed
from semantic_hub.models.twins import random_twin

STEPS = ("fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases")
FOLDED, CENTERED_WRITING, CENTERED_UNEMBEDDING = (
    "folded layer norms", "centered writing weights", "centered unembedding"
)  # fmt: skip


@requires_hooked_transformer
@pytest.mark.parametrize(
    ("architecture", "steps", "found", "message"),
    [
        ("gpt2", ["fold_ln"], [FOLDED], r"\): norms have no separate gain, so"),
        ("gpt2", ["center_writing_weights"], [CENTERED_WRITING], r"\): residual streams are cent"),
        ("gpt2", ["center_unembed"], [CENTERED_UNEMBEDDING], r"\): logits are shifted by a const"),
        (
            "gpt2",
            list(STEPS),
            [FOLDED, CENTERED_WRITING, CENTERED_UNEMBEDDING],
            "gain.*streams",
        ),
        ("llama", ["fold_ln"], [FOLDED], r"\): norms have no separate gain, so"),
        ("llama-tied", ["center_unembed"], [CENTERED_UNEMBEDDING], "logits are shifted"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_processing_is_recognized_and_warned_about_once(
    checkpoint: Callable[[str], Path],
    architecture: str,
    steps: list[str],
    found: list[str],
    message: str,
    dtype: torch.dtype,
) -> None:
    folder = checkpoint(architecture)
    model: Any = load_model(folder, device="cpu", dtype=dtype, backend="hooked")
    model.load_and_process_state_dict(model.state_dict(), **{s: s in steps for s in STEPS})
    with pytest.warns(SemanticHubWarning, match=message):
        check_model(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_model(model)
    assert describe(model)["processed"] == found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["planted-hub", "planted-separate", "hub-mini"])
def test_the_zoo_and_its_twins_are_unprocessed(name: str, dtype: Any, backend: Any) -> None:
    model = load_model(name, device="cpu", dtype=dtype, backend=backend)
    assert processed(model) == processed(random_twin(model)) == []


@requires_hooked_transformer
@pytest.mark.parametrize("architecture", [name for name in DECODERS if name != "gemma2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_untouched_models_are_unprocessed(
    checkpoint: Callable[[str], Path], architecture: str, dtype: torch.dtype
) -> None:
    model = load_model(checkpoint(architecture), device="cpu", dtype=dtype, backend="hooked")
    assert processed(model) == processed(random_twin(model)) == []


def test_processed_bridge_warns_once(llama_folder: Path) -> None:
    model: Any = load_model(llama_folder, device="cpu", backend="bridge")
    assert processed(model) == []
    model.enable_compatibility_mode()
    with pytest.warns(SemanticHubWarning, match="processed"):
        residual_stream(model, ["a dog"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        residual_stream(model, ["a dog"])
    assert describe(model)["processed"] != []


@pytest.mark.parametrize("backend", BACKENDS)
def test_revision_is_the_commit_in_the_hub_cache(
    checkpoint: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: Any,
) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    repository = tmp_path / "models--gpt2"
    snapshot = shutil.copytree(checkpoint("gpt2"), repository / "snapshots" / commit)
    config = json.loads((snapshot / "config.json").read_text())
    (snapshot / "config.json").write_text(json.dumps({**config, "n_ctx": 64}))  # as the real one
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert describe(load_model("gpt2", device="cpu", backend=backend))["revision"] == commit


def test_a_local_folder_has_no_revision(model: Any) -> None:
    assert describe(model)["revision"] is None
