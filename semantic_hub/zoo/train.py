"""Train hub-mini from nothing: ``python -m semantic_hub.zoo.train --out DIR``.

Two stages of one next-token objective: English alone, then the mixture of all languages. Each step
draws its batch from a generator seeded by (seed, step), and every checkpoint holds the optimizer,
so a run that was stopped anywhere goes on where it was, to the same weights.
"""

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.numbers import DIGITS
from semantic_hub.zoo.corpus import Corpus, Mixture
from semantic_hub.zoo.world import DOMINANT, GRAMMARS, LANGUAGES, MIXED, Grammar, Voice, World

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
PAD_ID, BOS_ID, EOS_ID = 0, 1, 2


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights of hub-mini; written into its manifest."""

    seed: int = 0
    world_seed: int = 0
    d_model: int = 96
    d_mlp: int = 384
    n_layers: int = 8
    n_heads: int = 4
    d_vocab: int = 4096
    n_ctx: int = 256
    documents: int = 192
    groups: int = 3
    english_steps: int = 700
    steps: int = 4500
    learning_rate: float = 3e-3
    muon_rate: float = 0.02
    warmup: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    dominant_share: float = 0.5
    digits_share: float = 0.08
    mixed: float = 0.6
    switch: float = 0.8

    def mixture(self, step: int) -> Mixture:
        """The languages of the text at one step: English first, then all."""
        if step < self.english_steps:
            return Mixture({DOMINANT: 1.0})
        others = (1 - self.dominant_share - self.digits_share) / (len(LANGUAGES) - 1)
        shares = {code: others for code in LANGUAGES[1:]}
        weights = {DOMINANT: self.dominant_share, **shares, DIGITS: self.digits_share}
        return Mixture(weights, self.mixed, self.switch)

    def schedule(self, step: int) -> float:
        """The share of the peak learning rate: a linear warm-up, then half a cosine to 1/20."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def train(recipe: Recipe, out: Path, *, checkpoint_every: int = 250) -> Path:
    """Train to the recipe's last step, going on from the newest checkpoint in `out`.

    Returns:
        The folder of the finished model in Hugging Face layout.

    Raises:
        SemanticHubError: `out` holds a run of another recipe.
    """
    _same_recipe(recipe, out)
    world = World(recipe.world_seed)
    tokenizer = _saved(out / "tokenizer", recipe, world)
    model = build_model(recipe, tokenizer)
    optimizers = _optimizers(model, recipe)
    start = _restore(model, optimizers, out / "checkpoint.safetensors")
    began = time.time()
    for step in range(start, recipe.steps):
        loss = _step(model, optimizers, batches(recipe, tokenizer, step), recipe, step)
        if (step + 1) % 50 == 0:
            rate = (step + 1 - start) / (time.time() - began)
            print(f"step {step + 1} loss {loss:.4f} {rate:.2f} steps/s", flush=True)
        if (step + 1) % checkpoint_every == 0 or step + 1 == recipe.steps:
            _checkpoint(model, optimizers, step + 1, out / "checkpoint.safetensors")
    return export(model, tokenizer, recipe, out / "model")


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A fresh Llama-layout decoder: RMS norms, rotary positions, tied embeddings."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.d_model,
        intermediate_size=recipe.d_mlp,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_heads,
        max_position_embeddings=recipe.n_ctx,
        tie_word_embeddings=True,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
    )
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM._from_config(config, attn_implementation="eager")


def build_tokenizer(recipe: Recipe, world: World) -> PreTrainedTokenizerFast:
    """A byte-level BPE of the world's own text; digits stand alone, as in Llama.

    Chinese is written without spaces. For training its words are set apart, so that no merge
    crosses a word; the text the model reads is unspaced.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.d_vocab,
        special_tokens=[PAD, BOS, EOS, MIXED],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_tokenizer_text(recipe, world), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[MIXED],
        model_max_length=recipe.n_ctx,
        world_seed=recipe.world_seed,
        clean_up_tokenization_spaces=False,
    )


def batches(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, step: int
) -> list[torch.Tensor]:
    """The documents of one step as right-padded token rows, ``[document, pos]``, short ones first.

    Every document is a row of its own, from BOS to EOS, so that none sees another.
    """
    corpus = _corpus(recipe, step < recipe.english_steps)
    texts = list(islice(corpus.documents([recipe.seed, 3, step]), recipe.documents))
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows = [torch.tensor([BOS_ID, *row[: recipe.n_ctx - 2], EOS_ID]) for row in encoded]
    rows.sort(key=len)
    size = -(-len(rows) // recipe.groups)
    groups = (rows[start : start + size] for start in range(0, len(rows), size))
    return [torch.nn.utils.rnn.pad_sequence(g, batch_first=True, padding_value=PAD_ID) for g in groups]


def export(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, folder: Path
) -> Path:
    """Write a folder that any Hugging Face loader reads."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _write_json(folder / "recipe.json", asdict(recipe))
    return folder


class _Segmented(Voice):
    """Sets words of an unspaced language apart by line ends, which no merge crosses."""

    @property
    def grammar(self) -> Grammar:
        own = super().grammar
        return own if own.space else replace(own, space="\n")


def _tokenizer_text(recipe: Recipe, world: World) -> Iterator[str]:
    corpus = Corpus(world, recipe.mixture(recipe.steps), voice=_Segmented)
    documents = corpus.documents([recipe.world_seed, 4])
    for _ in range(40_000):
        yield next(documents).replace(MIXED, "")


@lru_cache(maxsize=2)
def _corpus(recipe: Recipe, english: bool) -> Corpus:
    return Corpus(World(recipe.world_seed), recipe.mixture(0 if english else recipe.steps))


def _step(model, optimizers, rows: list[torch.Tensor], recipe: Recipe, step: int) -> float:
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


def _backward(model: LlamaForCausalLM, tokens: torch.Tensor, count: int) -> float:
    """Adds one group's gradient of the step's mean loss per token; its share of that loss."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    real = targets != PAD_ID
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model.lm_head(model.model(inputs).last_hidden_state[real])
    loss = torch.nn.functional.cross_entropy(logits.float(), targets[real], reduction="sum")
    (loss / count).backward()
    return loss.item() / count


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
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


def _checkpoint(model, optimizers, step: int, path: Path) -> None:
    tensors = {f"model.{name}": value for name, value in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {
                f"optimizer.{number}.{index}.{key}": torch.as_tensor(value)
                for key, value in state.items()
            }
    tensors["step"] = torch.tensor(step)
    temporary = path.with_suffix(".partial")
    save_file({name: t.detach().contiguous() for name, t in tensors.items()}, temporary)
    temporary.replace(path)


def _restore(model, optimizers, path: Path) -> int:
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
    _write_json(path, asdict(recipe))


def _saved(folder: Path, recipe: Recipe, world: World) -> PreTrainedTokenizerFast:
    if not (folder / "tokenizer.json").is_file():
        build_tokenizer(recipe, world).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def _write_json(path: Path, value: object) -> None:
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(value, indent=2) + "\n")
    temporary.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: one option for every field of `Recipe`."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and model")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    print(train(Recipe(**options), out))


if __name__ == "__main__":
    main()
