"""Train hub-mini from scratch: ``python -m semantic_hub.zoo.training.train --out DIR``.

Training has two stages with the same next-token objective: English only, then the mixture of all
languages. Each step draws its batch from a generator seeded by (seed, step), and every checkpoint
holds the optimizers, so a run that was interrupted resumes to the same weights.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.optim import Optimizer
from transformers import LlamaForCausalLM

from semantic_hub.results.files import to_json, write_atomically
from semantic_hub.zoo.training.recipe import Recipe, batches, build_model, build_tokenizer
from semantic_hub.zoo.training.steps import (
    CHECKPOINT,
    add_text_gradient,
    checkpoint,
    keep_recipe,
    replacing,
    restore,
    set_rates,
)


def train(recipe: Recipe, out: Path, *, checkpoint_every: int = 250) -> Path:
    """Train to the recipe's last step, resuming from the checkpoint in `out` if there is one.

    Args:
        recipe: Settings of the training.
        out: Folder of the checkpoint and, at the end, of the model.
        checkpoint_every: Steps between checkpoints.

    Returns:
        The folder of the finished model in Hugging Face layout.

    Raises:
        SemanticHubError: `out` holds a run of another recipe.
    """
    keep_recipe(recipe, out, "train")
    tokenizer = build_tokenizer(recipe)
    model = build_model(recipe)
    optimizers = _optimizers(model, recipe)
    start = restore(model, optimizers, out / CHECKPOINT)
    began = time.time()
    for step in range(start, recipe.steps):
        loss = _step(model, optimizers, batches(recipe, tokenizer, step), recipe, step)
        if (step + 1) % 50 == 0:
            rate = (step + 1 - start) / (time.time() - began)
            print(f"step {step + 1} loss {loss:.4f} {rate:.2f} steps/s", flush=True)
        if (step + 1) % checkpoint_every == 0 or step + 1 == recipe.steps:
            checkpoint(model, optimizers, step + 1, out / CHECKPOINT)
    return export(recipe, out, out / "model")


def export(recipe: Recipe, run: Path, folder: Path) -> Path:
    """Write the model of a run's checkpoint as a folder in Hugging Face layout.

    Besides weights, configuration and tokenizer it holds ``training.json``: the recipe, the number
    of completed steps, and the versions of the libraries.
    """
    model = build_model(recipe)
    step = restore(model, [], run / CHECKPOINT)
    libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")}
    manifest = {"recipe": asdict(recipe), "step": step, "libraries": libraries}
    with replacing(folder, "export") as part:
        model.save_pretrained(part)
        build_tokenizer(recipe).save_pretrained(part)
        write_atomically(part / "training.json", to_json(manifest, "export").encode(), "export")
    return folder


def _step(
    model: LlamaForCausalLM,
    optimizers: Sequence[Optimizer],
    rows: Sequence[Int[Tensor, "_document _pos"]],
    recipe: Recipe,
    step: int,
) -> float:
    """Take one optimizer step, and return the loss."""
    set_rates(optimizers, recipe.schedule(step))
    model.zero_grad()
    loss = add_text_gradient(model, rows)
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    for optimizer in optimizers:
        optimizer.step()
    return loss


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[Optimizer]:
    """Optimizers: Muon for the matrices of the blocks, AdamW for embeddings and norms."""
    blocks = [p for p in model.model.layers.parameters() if p.ndim == 2]
    inside = set(map(id, blocks))
    others = [p for p in model.parameters() if id(p) not in inside]
    muon = {"params": blocks, "peak": recipe.muon_rate}
    adam = {"params": others, "peak": recipe.learning_rate}
    return [
        torch.optim.Muon([muon], weight_decay=recipe.weight_decay, momentum=0.95),
        torch.optim.AdamW([adam], weight_decay=0.0, betas=(0.9, 0.98), fused=True),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line, with one option for every field of `Recipe`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and model")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    print(train(Recipe(**options), out))


if __name__ == "__main__":
    main()
