"""The model card's tables: complete, and the same numbers as a slow count without hooks."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.words import word_tokens
from semantic_hub.spokes.arithmetic.items import problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.lexicon.numbers import DIGITS
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.training.evaluate import questions, score, tables
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.formal_spokes import world_code, world_semantics
from semantic_hub.zoo.world.grammar import LANGUAGES
from semantic_hub.zoo.world.spokes import WorldLanguageSpoke, WorldSpokes

WORLD = World(seed=0)


@pytest.fixture(scope="module")
def hooked(tiny_run: Path):
    return sh.load_model(tiny_run / "model", device="cpu")


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.slow
@pytest.mark.training
def test_tables_are_complete(hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    few = WorldSpokes(
        WorldLanguageSpoke(WORLD, ("es", "fr"), at_most=4),
        ArithmeticSpoke("en", ("es", "fr"), problems("+")[::60], at_most=4),
        replace(world_code(WORLD, each=4), at_most=4),
        world_semantics(WORLD, count=60),
    )
    monkeypatch.setattr("semantic_hub.zoo.training.evaluate.spokes_of", lambda model: few)
    accuracy, verdict, *found = tables(hooked, resampling=Resampling(resamples=5), permutations=5)
    assert "first token" in accuracy
    header, _, *accuracies = rows(accuracy)
    assert [row[0] for row in accuracies] == [*LANGUAGES, DIGITS]
    assert accuracies[-1][1:3] == ["–", "–"]
    assert [row[:2] for row in rows(verdict)[2:]] == [
        [spoke.name, evidence] for spoke in few for evidence in ("similarity", "lens", "causal")
    ]
    told = [table for table in found if not table.startswith("#")]
    assert [table.strip() for table in found if table not in told] == [
        f"### {spoke.name.capitalize()}" for spoke in few
    ]
    assert len(told) >= 4 * 2 + 2  # similarity of each; lens and interventions, where any are left
    for table in (accuracy, verdict, *told):
        header, _, *body = rows(table)
        assert body
        assert all(len(row) == len(header) for row in body)
        assert all(cell for row in body for cell in row)


@pytest.mark.parametrize(
    ("notation", "kind"),
    [("en", "facts"), ("es", "facts"), ("zh", "facts"), ("ru", "+"), ("en", "*"), (DIGITS, "+")],
)
def test_accuracy_is_a_count_of_top_tokens(
    hooked, tiny_run: Path, notation: str, kind: str
) -> None:
    asked = questions(WORLD, notation, kind, held_out=True)[:40]
    network = AutoModelForCausalLM.from_pretrained(tiny_run / "model")
    tokenizer = AutoTokenizer.from_pretrained(tiny_run / "model")
    tops = [top_token(network, tokenizer, r.prompt.text) for r in asked]
    told = [r.candidates["surface"][0] for r in asked]
    hits = [
        top in word_tokens(tokenizer, word).tokens for top, word in zip(tops, told, strict=True)
    ]
    found = score(hooked, asked)
    assert found.n + found.dropped == 40
    assert found.dropped == 0
    assert found.accuracy == pytest.approx(sum(hits) / 40)


def test_an_untrained_guess_can_be_right(hooked, tiny_run: Path) -> None:
    """The tiny model knows little; asked for what it says anyway, it scores 1."""
    tokenizer = hooked.tokenizer
    network = AutoModelForCausalLM.from_pretrained(tiny_run / "model")
    asked = []
    for readout in questions(WORLD, "es", "facts", held_out=False)[:20]:
        said = tokenizer.decode([top_token(network, tokenizer, readout.prompt.text)])
        if said.strip():
            asked.append(sh.Readout(readout.prompt, {"surface": (said,)}))
    assert asked
    assert score(hooked, asked).accuracy == 1


@torch.no_grad()
def top_token(network, tokenizer, text: str) -> int:
    return int(network(**tokenizer(text, return_tensors="pt")).logits[0, -1].argmax())


@pytest.mark.parametrize("notation", [*LANGUAGES, DIGITS])
def test_questions_ask_for_the_answer_alone(notation: str) -> None:
    held_out, told = (questions(WORLD, notation, "*", held_out=side) for side in (True, False))
    assert held_out and told
    assert not {r.prompt.text for r in held_out} & {r.prompt.text for r in told}
    facts = questions(WORLD, notation, "facts", held_out=True)
    assert bool(facts) == (notation != DIGITS)
    assert all(set(r.candidates) == {"surface"} for r in (*facts, *held_out))


def test_english_questions_by_eye() -> None:
    fact = next(f for f in WORLD.facts if f.key in WORLD.held_out)
    asked = questions(WORLD, "en", "facts", held_out=True)[0]
    assert (asked.prompt.text or "").startswith(f"{fact.subject.forms['en']}: ")
    assert asked.candidates["surface"] == (fact.value.forms["en"],)


def test_a_model_without_a_world_is_refused(model) -> None:
    with pytest.raises(SemanticHubError, match=r"evaluate: got .*names no world"):
        next(tables(model))
