"""A model trained for a few steps: what a trained model's folder looks like, not what it knows."""

from pathlib import Path

import pytest

from semantic_hub.zoo.training.recipe import Recipe
from semantic_hub.zoo.training.train import train


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """The smallest recipe that has both stages."""
    return Recipe(
        d_model=16, d_mlp=32, n_layers=3, n_heads=2, d_vocab=600, tokenizer_documents=500,
        documents=12, groups=2, english_steps=2, steps=6, warmup=2,
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Recipe) -> Path:
    """The folder of a run of that recipe that was never stopped."""
    folder = tmp_path_factory.mktemp("tiny_run")
    train(tiny_recipe, folder)
    return folder
