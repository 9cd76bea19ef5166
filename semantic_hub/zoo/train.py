"""Train hub-mini from nothing: ``python -m semantic_hub.zoo.train --out DIR``.

Two stages of one next-token objective: English alone, then the mixture of all languages. Each step
draws its batch from a generator seeded by (seed, step), and every checkpoint holds the optimizers,
so a run that was stopped anywhere goes on where it was, to the same weights.
"""

import argparse
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from jaxtyping import Int
from safetensors.torch import load_file, save
from torch import Tensor
from torch.optim import Optimizer
from transformers import LlamaForCausalLM

from semantic_hub.errors import SemanticHubError
from semantic_hub.storage import to_json, write_atomically
from semantic_hub.zoo.recipe import PAD_ID, Recipe, batches, build_model, build_tokenizer

_CHECKPOINT = "checkpoint.safetensors"


def train(recipe: Recipe, out: Path, *, checkpoint_every: int = 250) -> Path:
    """Train to the recipe's last step, going on from the checkpoint in `out` if there is one.

    Args:
        recipe: What to train.
        out: Folder of the checkpoint and, at the end, of the model.
        checkpoint_every: Steps between checkpoints.

    Returns:
        The folder of the finished model in Hugging Face layout.

    Raises:
        SemanticHubError: `out` holds a run of another recipe.
    """
    _same_recipe(recipe, out)
    tokenizer = build_tokenizer(recipe)
    model = build_model(recipe)
    optimizers = _optimizers(model, recipe)
    start = _restore(model, optimizers, out / _CHECKPOINT)
    began = time.time()
    for step in range(start, recipe.steps):
        loss = _step(model, optimizers, batches(recipe, tokenizer, step), recipe, step)
        if (step + 1) % 50 == 0:
            rate = (step + 1 - start) / (time.time() - began)
            print(f"step {step + 1} loss {loss:.4f} {rate:.2f} steps/s", flush=True)
        if (step + 1) % checkpoint_every == 0 or step + 1 == recipe.steps:
            _checkpoint(model, optimizers, step + 1, out / _CHECKPOINT)
    return export(recipe, out, out / "model")


def export(recipe: Recipe, run: Path, folder: Path) -> Path:
    """Write the model of a run's checkpoint as a folder that any Hugging Face loader reads.

    Beside weights, configuration and tokenizer it holds ``training.json``: the recipe, the number
    of steps that the weights have seen, and the versions of the libraries that trained them.
    """
    model = build_model(recipe)
    step = _restore(model, [], run / _CHECKPOINT)
    libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")}
    manifest = {"recipe": asdict(recipe), "step": step, "libraries": libraries}
    part = folder.with_name(f".{folder.name}.part")
    model.save_pretrained(part)
    build_tokenizer(recipe).save_pretrained(part)
    write_atomically(part / "training.json", to_json(manifest, "export").encode())
    if folder.exists():
        shutil.rmtree(folder)
    part.replace(folder)
    return folder


def _step(
    model: LlamaForCausalLM,
    optimizers: Sequence[Optimizer],
    rows: Sequence[Int[Tensor, "_document _pos"]],
    recipe: Recipe,
    step: int,
) -> float:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * recipe.schedule(step)
    model.zero_grad()
    count = sum(int((tokens[:, 1:] != PAD_ID).sum()) for tokens in rows)
    loss = sum(_backward(model, tokens, count) for tokens in rows)
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    for optimizer in optimizers:
        optimizer.step()
    return loss


def _backward(model: LlamaForCausalLM, tokens: Int[Tensor, "document pos"], count: int) -> float:
    """Adds one group's gradient of the step's mean loss per token; its share of that loss."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    real = targets != PAD_ID
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model.lm_head(model.model(inputs).last_hidden_state[real])
    loss = torch.nn.functional.cross_entropy(logits.float(), targets[real], reduction="sum")
    (loss / count).backward()
    return loss.item() / count


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings and norms."""
    blocks = [p for p in model.model.layers.parameters() if p.ndim == 2]
    inside = set(map(id, blocks))
    others = [p for p in model.parameters() if id(p) not in inside]
    muon = {"params": blocks, "peak": recipe.muon_rate}
    adam = {"params": others, "peak": recipe.learning_rate}
    return [
        torch.optim.Muon([muon], weight_decay=recipe.weight_decay, momentum=0.95),
        torch.optim.AdamW([adam], weight_decay=0.0, betas=(0.9, 0.98), fused=True),
    ]


def _checkpoint(
    model: LlamaForCausalLM, optimizers: Sequence[Optimizer], step: int, path: Path
) -> None:
    tensors: dict[str, Tensor] = {f"model.{n}": value for n, value in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {
                f"optimizer.{number}.{index}.{key}": torch.as_tensor(value)
                for key, value in state.items()
            }
    tensors["step"] = torch.tensor(step)
    write_atomically(path, save({name: t.detach().contiguous() for name, t in tensors.items()}))


def _restore(model: LlamaForCausalLM, optimizers: Sequence[Optimizer], path: Path) -> int:
    """Take up a checkpoint; returns the number of steps that are done."""
    if not path.is_file():
        return 0
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, torch.Tensor]] = defaultdict(dict)
        for name, value in tensors.items():
            if name.startswith(f"optimizer.{number}."):
                _, _, index, key = name.split(".")
                state[int(index)][key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": dict(state)})
    return int(tensors["step"])


def _same_recipe(recipe: Recipe, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "recipe.json"
    if path.is_file() and json.loads(path.read_text()) != asdict(recipe):
        raise SemanticHubError(
            "train",
            got=f"{path}: another recipe",
            expected=f"{asdict(recipe)}",
            fix="Train into a new folder.",
        )
    write_atomically(path, to_json(asdict(recipe), "train").encode())


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: one option for every field of `Recipe`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and model")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    print(train(Recipe(**options), out))


if __name__ == "__main__":
    main()
