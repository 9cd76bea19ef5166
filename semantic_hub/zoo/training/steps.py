"""Steps shared by both trainings of the zoo: text gradients, checkpoints and stored recipes."""

import json
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import LlamaForCausalLM

from semantic_hub.errors import SemanticHubError, reading, writing
from semantic_hub.results.files import sync, to_json, write_atomically
from semantic_hub.zoo.training.recipe import PAD_ID

CHECKPOINT = "checkpoint.safetensors"
"""File of a run's checkpoint in its folder."""


def set_rates(optimizers: Sequence[Optimizer], share: float) -> None:
    """Set every group's learning rate to a share of its ``peak``."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share


def add_text_gradient(
    model: LlamaForCausalLM, rows: Sequence[Int[Tensor, "_document _pos"]]
) -> float:
    """Add the gradient of the mean next-token loss, and return that loss in nat per token.

    Args:
        model: The language model.
        rows: Batches of right-padded documents; the loss is the mean over all their tokens.
    """
    count = sum(int((tokens[:, 1:] != PAD_ID).sum()) for tokens in rows)
    return sum(_add_share(model, tokens, count) for tokens in rows)


@contextmanager
def replacing(folder: Path, operation: str) -> Iterator[Path]:
    """Context for writing a folder whole: it replaces an existing one when all of it is on disk.

    An existing folder is moved aside before the new one takes its place, and removed after that:
    killed at any moment, one of the two is on disk, whole.

    Args:
        folder: The folder.
        operation: The user's call, for the error.

    Yields:
        An empty folder beside it, of a name that is not used twice, to write into.

    Raises:
        SemanticHubError: Moving failed; an existing folder is as it was.
    """
    names = (f".{folder.name}-{secrets.token_hex(16)}.{kind}" for kind in ("part", "old"))
    part, old = map(folder.with_name, names)
    with writing(operation, folder):
        part.mkdir(parents=True)
        try:
            yield part
            for written in (*part.rglob("*"), part):
                sync(written)
            _swap(part, folder, old)
            sync(folder.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _swap(part: Path, folder: Path, old: Path) -> None:
    """Move a new folder into place, an existing one aside; where that fails, move it back."""
    if not folder.exists():
        part.replace(folder)
        return
    folder.replace(old)
    try:
        part.replace(folder)
    except BaseException:
        old.replace(folder)
        raise


def checkpoint(model: nn.Module, optimizers: Sequence[Optimizer], step: int, path: Path) -> None:
    """Write parameters, optimizers and the number of completed steps, replacing the old file."""
    tensors: dict[str, Tensor] = {f"model.{n}": value for n, value in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {
                f"optimizer.{number}.{index}.{key}": torch.as_tensor(value)
                for key, value in state.items()
            }
    tensors["step"] = torch.tensor(step)
    write_atomically(
        path, save({name: t.detach().contiguous() for name, t in tensors.items()}), "train"
    )


def restore(model: nn.Module, optimizers: Sequence[Optimizer], path: Path) -> int:
    """Load a checkpoint if there is one, and return the number of completed steps, or 0.

    Raises:
        SemanticHubError: The checkpoint is damaged, or one of another model.
    """
    if not path.exists():
        return 0
    fix = "Remove it to train from the start."
    with reading("restore", path, expected="a checkpoint of this model", fix=fix):
        return _restore(model, optimizers, load_file(path))


def _restore(
    model: nn.Module, optimizers: Sequence[Optimizer], tensors: Mapping[str, Tensor]
) -> int:
    """Put the tensors of a checkpoint in place, and return the number of completed steps."""
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


def keep_recipe(recipe: Any, out: Path, operation: str) -> None:
    """Write a recipe into the folder of a run; raise if the folder has another recipe.

    Raises:
        SemanticHubError: The folder holds a run of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "recipe.json"
    fix = "Train into a new folder."
    if path.exists():
        with reading(operation, path, expected="the recipe of a run", fix=fix):
            kept = json.loads(path.read_text(encoding="utf-8"))
        if kept != asdict(recipe):
            raise SemanticHubError(
                operation,
                got=f"{path}: another recipe",
                expected=f"{asdict(recipe)}",
                fix=fix,
            )
    write_atomically(path, to_json(asdict(recipe), operation).encode(), operation)


def _add_share(model: LlamaForCausalLM, tokens: Int[Tensor, "document pos"], count: int) -> float:
    """Add one batch's share of the gradient, and return its share of the loss per token."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    real = targets != PAD_ID
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model.lm_head(model.model(inputs).last_hidden_state[real])
    loss = torch.nn.functional.cross_entropy(logits.float(), targets[real], reduction="sum")
    (loss / count).backward()
    return loss.item() / count
