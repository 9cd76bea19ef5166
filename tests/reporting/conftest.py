"""The model whose results are shown: of one class, since a page reads results alone."""

from pathlib import Path

import pytest

from semantic_hub.models.loading import load_model
from semantic_hub.models.protocol import HookedModel


@pytest.fixture(scope="session")
def model(llama_folder: Path) -> HookedModel:
    """A tiny random Llama with a tokenizer."""
    return load_model(llama_folder, device="cpu")
