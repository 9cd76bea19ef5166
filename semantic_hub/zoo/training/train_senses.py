"""Train image and audio projectors for a trained model, as hub-mini has them.

Run ``python -m semantic_hub.zoo.training.train_senses --model DIR``. One linear map from patches
and one from log-mel frames to soft tokens are trained to make the text about a picture or clip
likely. The first and last blocks are trained too, while the middle blocks and the embeddings are
frozen, so that images and sounds have to use the representations of text. New documents of the text
training are added, so that the model does not forget it.

Source: the linear projector and the loss are those of Liu et al. 2023, Visual Instruction Tuning,
arXiv 2304.08485, section 4.
"""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from semantic_hub.errors import reading
from semantic_hub.results.files import to_json, write_atomically
from semantic_hub.zoo.senses import AUDIO_PROJECTOR, IMAGE_PROJECTOR, Projector
from semantic_hub.zoo.training.items import TrainingItem, clip_item, picture_item
from semantic_hub.zoo.training.recipe import BOS_ID, PAD_ID, Recipe, batches
from semantic_hub.zoo.training.steps import (
    CHECKPOINT,
    add_text_gradient,
    checkpoint,
    keep_recipe,
    replacing,
    restore,
    set_rates,
)

_NOT_LEARNED = -100
"""Target of tokens that are not learned."""

_DRAW = {IMAGE_PROJECTOR: picture_item, AUDIO_PROJECTOR: clip_item}


@dataclass(frozen=True)
class EncodersRecipe:
    """All settings that determine the projectors; written into the model's manifest.

    Attributes:
        seed: Seed of the projectors' initial weights and of the items of each step.
        steps: Steps of AdamW, with a warm-up and half a cosine down.
        pictures: Pictures per step.
        clips: Clips per step.
        documents: Documents per step.
        outer: Number of blocks that are trained at each end; the others are frozen.
        projector_rate: Peak rate of the projectors.
        block_rate: Peak rate of the blocks.
        warmup: Steps of the linear warm-up.
        clip: Largest norm of the gradient.
    """

    seed: int = 0
    steps: int = 1200
    pictures: int = 48
    clips: int = 16
    documents: int = 64
    outer: int = 2
    projector_rate: float = 3e-3
    block_rate: float = 5e-4
    warmup: int = 50
    clip: float = 1.0

    def schedule(self, step: int) -> float:
        """Learning rates as a share of their peaks."""
        return min(1.0, (step + 1) / self.warmup) * 0.5 * (1 + cos(pi * step / self.steps))


class ModelWithProjectors(nn.Module):
    """Language model with an image and an audio projector.

    Args:
        model: The language model; all but its outer blocks are frozen.
        recipe: Number of outer blocks, and seed of the projectors.
    """

    def __init__(self, model: LlamaForCausalLM, recipe: EncodersRecipe) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        n_layers = len(model.model.layers)
        for index in {*range(recipe.outer), *range(n_layers - recipe.outer, n_layers)}:
            model.model.layers[index].requires_grad_(True)
        generator = torch.Generator().manual_seed(recipe.seed)
        scale, width = model.config.initializer_range, model.config.hidden_size
        self.maps = nn.ParameterList(
            nn.Parameter(torch.randn(rows, width, generator=generator) * scale)
            for draw in _DRAW.values()
            for rows in reversed(draw(np.random.default_rng(0)).features.shape)
        )

    def projector(self, name: str) -> Projector:
        """Current image or audio projector."""
        first = 2 * list(_DRAW).index(name)
        return Projector(self.maps[first], self.maps[first + 1])

    def loss(
        self, name: str, items: Sequence[TrainingItem], tokenizer: PreTrainedTokenizerFast
    ) -> Float[Tensor, ""]:
        """Mean next-token loss of the answers, in nat."""
        soft = self.projector(name)(torch.stack([item.features for item in items]))
        tokens, targets = _rows(tokenizer, items)
        embed = self.model.get_input_embeddings()
        begin = embed(torch.full((len(items), 1), BOS_ID))
        states = torch.cat([begin, soft, embed(tokens)], dim=1)
        hidden = self.model.model(inputs_embeds=states).last_hidden_state[:, soft.shape[1] : -1]
        learned = targets != _NOT_LEARNED
        return cross_entropy(self.model.lm_head(hidden[learned]), targets[learned])


def train_senses(
    source: Path, out: Path, recipe: EncodersRecipe | None = None, *, checkpoint_every: int = 100
) -> Path:
    """Train to the recipe's last step, resuming from the checkpoint in `out` if there is one.

    Args:
        source: Folder of a model from `semantic_hub.zoo.training.train`.
        out: Folder of the checkpoint and, at the end, of the model with its projectors.
        recipe: Settings of the training; None for the default.
        checkpoint_every: Steps between checkpoints.

    Returns:
        The folder of the finished model: that of `source` with other weights, both projectors, and
        the recipe in its ``training.json``.

    Raises:
        SemanticHubError: `source` has no ``training.json``, or `out` holds a run of another recipe.
    """
    recipe = recipe or EncodersRecipe()
    text = replace(_text_recipe(source), documents=recipe.documents, groups=2)
    keep_recipe(recipe, out, "train_senses")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    model = LlamaForCausalLM.from_pretrained(source, attn_implementation="eager")
    combined = ModelWithProjectors(model, recipe)
    optimizer = _optimizer(combined, recipe)
    start, began = restore(combined, [optimizer], out / CHECKPOINT), time.time()
    for step in range(start, recipe.steps):
        losses = _step(combined, optimizer, tokenizer, text, recipe, step)
        if (step + 1) % 50 == 0:
            rate = (step + 1 - start) / (time.time() - began)
            print(f"step {step + 1} {losses} {rate:.2f} steps/s", flush=True)
        if (step + 1) % checkpoint_every == 0 or step + 1 == recipe.steps:
            checkpoint(combined, [optimizer], step + 1, out / CHECKPOINT)
    return _export(combined, source, recipe, out / "model")


def _step(
    combined: ModelWithProjectors,
    optimizer: torch.optim.Optimizer,
    tokenizer: PreTrainedTokenizerFast,
    text: Recipe,
    recipe: EncodersRecipe,
    step: int,
) -> dict[str, float]:
    """Take one optimizer step, and return the losses."""
    set_rates([optimizer], recipe.schedule(step))
    optimizer.zero_grad()
    losses = {}
    for number, (name, count) in enumerate(
        {IMAGE_PROJECTOR: recipe.pictures, AUDIO_PROJECTOR: recipe.clips}.items()
    ):
        rng = np.random.default_rng([recipe.seed, 7, number, step])
        loss = combined.loss(name, [_DRAW[name](rng) for _ in range(count)], tokenizer)
        loss.backward()
        losses[name] = round(loss.item(), 4)
    rows = batches(text, tokenizer, text.steps + step)
    losses["text"] = round(add_text_gradient(combined.model, rows), 4)
    trained = [p for p in combined.parameters() if p.requires_grad]
    nn.utils.clip_grad_norm_(trained, recipe.clip)
    optimizer.step()
    return losses


def _optimizer(combined: ModelWithProjectors, recipe: EncodersRecipe) -> torch.optim.Optimizer:
    """AdamW for the projectors and the outer blocks."""
    blocks = [p for p in combined.model.parameters() if p.requires_grad]
    groups = [
        {"params": list(combined.maps), "peak": recipe.projector_rate},
        {"params": blocks, "peak": recipe.block_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=0.0, betas=(0.9, 0.98))


def _rows(
    tokenizer: PreTrainedTokenizerFast, items: Sequence[TrainingItem]
) -> tuple[Int[Tensor, "input pos"], Int[Tensor, "input pos"]]:
    """Right-padded tokens after each input, and the targets that are learned."""
    texts: list[Tensor] = []
    learned: list[Tensor] = []
    for item in items:
        question, answer = (
            tokenizer(part, add_special_tokens=False)["input_ids"]
            for part in (item.question, item.answer)
        )
        texts.append(torch.tensor([*question, *answer]))
        learned.append(torch.tensor([*[_NOT_LEARNED] * len(question), *answer]))
    return (
        pad_sequence(texts, batch_first=True, padding_value=PAD_ID),
        pad_sequence(learned, batch_first=True, padding_value=_NOT_LEARNED),
    )


def _text_recipe(source: Path) -> Recipe:
    """Recipe of the text training."""
    path = source / "training.json"
    with reading(
        "train_senses",
        path,
        expected="the training.json of a trained language model",
        fix="Train the language model first: python -m semantic_hub.zoo.training.train",
    ):
        return Recipe(**json.loads(path.read_text(encoding="utf-8"))["recipe"])


def _export(
    combined: ModelWithProjectors, source: Path, recipe: EncodersRecipe, folder: Path
) -> Path:
    """Write the model with its projectors as a folder in Hugging Face layout."""
    with replacing(folder, "train_senses") as part:
        shutil.copytree(source, part, dirs_exist_ok=True)
        combined.model.save_pretrained(part)
        for name in _DRAW:
            combined.projector(name).save(part / name)
        made = json.loads((source / "training.json").read_text()) | {"senses": asdict(recipe)}
        text = to_json(made, "train_senses")
        write_atomically(part / "training.json", text.encode(), "train_senses")
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line, with one option for every field of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder that zoo.train wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and model")
    for name, value in asdict(EncodersRecipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args(arguments))
    source, out = options.pop("model"), options.pop("out")
    print(train_senses(source, out, EncodersRecipe(**options)))


if __name__ == "__main__":
    main()
