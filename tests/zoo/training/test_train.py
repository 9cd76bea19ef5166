"""Training: it resumes to the same weights, and writes a folder that plain loaders read."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.zoo.training.recipe import (
    BOS_ID,
    EOS_ID,
    PAD_ID,
    Recipe,
    batches,
    build_tokenizer,
)
from semantic_hub.zoo.training.train import main, train
from semantic_hub.zoo.world.spokes import spokes_of


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(
    tiny_recipe: Recipe, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def stop_at_fifth_step(*arguments):
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return batches(*arguments)

    monkeypatch.setattr("semantic_hub.zoo.training.train.batches", stop_at_fifth_step)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_recipe, tmp_path, checkpoint_every=2)
    monkeypatch.undo()
    train(tiny_recipe, tmp_path, checkpoint_every=2)
    expected = load_file(tiny_run / "checkpoint.safetensors")
    found = load_file(tmp_path / "checkpoint.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_another_recipe_is_refused(tiny_recipe: Recipe, tiny_run: Path) -> None:
    with pytest.raises(SemanticHubError, match=r"recipe\.json: another recipe"):
        train(replace(tiny_recipe, steps=7), tiny_run)


def test_the_folder_is_plain_hugging_face(tiny_run: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_run / "model")
    tokenizer = AutoTokenizer.from_pretrained(tiny_run / "model")
    tokens = tokenizer("el perro", return_tensors="pt")
    assert tokens["input_ids"][0, 0] == BOS_ID
    hooked = sh.load_model(tiny_run / "model", device="cpu")
    logits = hooked(hooked.to_tokens("el perro"))
    assert torch.allclose(logits, model(**tokens).logits, atol=1e-4)


def test_the_tokenizer_names_the_world(tiny_recipe: Recipe, tiny_run: Path, model) -> None:
    spokes = spokes_of(sh.load_model(tiny_run / "model", device="cpu"))
    assert spokes is not None
    language, arithmetic, *_ = spokes
    assert language.world.seed == tiny_recipe.world_seed
    assert arithmetic.items
    assert spokes_of(model) is None


def test_rows_hold_whole_documents(tiny_recipe: Recipe) -> None:
    tokenizer = build_tokenizer(tiny_recipe)
    rows = batches(tiny_recipe, tokenizer, 5)
    assert sum(len(group) for group in rows) == tiny_recipe.documents
    for group in rows:
        assert (group[:, 0] == BOS_ID).all()
        for row in group.tolist():
            end = row.index(EOS_ID)
            assert BOS_ID not in row[1:]
            assert set(row[end + 1 :]) <= {PAD_ID}


def test_stages(tiny_recipe: Recipe) -> None:
    assert dict(tiny_recipe.mixture(1).languages) == {"en": 1.0}
    assert sum(tiny_recipe.mixture(2).languages.values()) == pytest.approx(1)
    assert [round(tiny_recipe.schedule(step), 2) for step in (0, 1, 2, 6)] == [0.5, 1.0, 1.0, 0.05]


def test_tokenizer_reads_every_text_back(tiny_recipe: Recipe) -> None:
    tokenizer = build_tokenizer(tiny_recipe)
    for text in ("chien : couleur noir", "狗：颜色黑色", "собака: цвет", "🙂 42=37+5\tž"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    assert tokenizer.tokenize("42") == ["4", "2"]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path), "--steps", "1", "--d-model", "8", "--n-heads", "2",
          "--n-layers", "1", "--d-vocab", "400", "--tokenizer-documents", "100", "--documents", "4", "--groups", "1"])  # fmt: skip
    assert capsys.readouterr().out.strip().endswith("model")
    assert (tmp_path / "model" / "config.json").is_file()
