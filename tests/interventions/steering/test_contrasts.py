"""Directions: their algebra, and what they are made of."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import BACKENDS

import semantic_hub as sh
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.interventions.steering.contrasts import (
    activation_difference,
    mean_difference,
    mean_differences,
    paired_differences,
    unembedding_difference,
)
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.zoo.planted.models import expected_stream, planted_world

EAST = Direction(torch.tensor([3.0, 0.0]), 1, "east", stream_norm=6.0)
NORTH = Direction(torch.tensor([0.0, 4.0]), 1, "north", stream_norm=10.0)
ROWS = Direction(torch.tensor([[1.0, 0.0], [0.0, 3.0], [5.0, 6.0]]), 1, "rows", stream_norm=4.0)


def test_they_add_subtract_and_scale() -> None:
    found = 2 * EAST - NORTH / 4 + -EAST
    assert found.vector.tolist() == [3.0, -1.0]
    assert found.layer == 1
    assert (EAST + NORTH).norm == 5.0


def test_they_say_how_they_were_made() -> None:
    assert (2 * EAST - NORTH).description == "2 × (east) + −(north)"


def test_norm_relative_to_the_stream() -> None:
    assert (2 * EAST).relative_norm == 1.0
    assert (EAST + NORTH).relative_norm == 5 / 8
    assert repr(2 * EAST).endswith(", relative_norm=1)")
    assert "relative_norm" not in repr(EAST.at(2))
    assert Direction(torch.ones(2), None, "by hand").relative_norm is None


def test_a_vector_is_added_to_every_row() -> None:
    assert (ROWS + EAST).vector.tolist() == [[4.0, 0.0], [3.0, 3.0], [8.0, 6.0]]


def test_norm_of_rows_is_their_mean_length() -> None:
    assert ROWS.rows([0, 1]).norm == 2.0
    assert ROWS.n_rows == 3
    assert ROWS.d_model == 2


def test_rows_and_mean() -> None:
    assert ROWS.rows([1, 0]).vector.tolist() == [[0.0, 3.0], [1.0, 0.0]]
    assert ROWS.mean().vector.tolist() == [2.0, 3.0]
    assert EAST.rows([5]) is EAST
    assert EAST.mean() is EAST


def test_average() -> None:
    found = Direction.average([EAST, NORTH, EAST])
    torch.testing.assert_close(found.vector, torch.tensor([2.0, 4 / 3]))
    assert found.description == "mean of east, north, east"


def test_at_another_layer_the_streams_norm_is_unknown() -> None:
    assert EAST.at(1) is EAST
    assert EAST.at(2).layer == 2
    assert EAST.at(2).relative_norm is None


@pytest.mark.parametrize(
    "direction", [EAST, ROWS, Direction(torch.ones(2), None, "no layer, “quoted”\n")]
)
def test_a_saved_direction_is_the_same(direction: Direction, tmp_path: Path) -> None:
    found = Direction.load(direction.save(tmp_path / "direction"))
    assert torch.equal(found.vector, direction.vector)
    assert found.layer == direction.layer
    assert found.description == direction.description
    assert found.stream_norm == direction.stream_norm


def test_one_row_of_many_is_saved_alone(tmp_path: Path) -> None:
    learned = torch.randn(3, 4, requires_grad=True)
    saved = Direction(learned.transpose(0, 1)[1], 2, "a column").save(tmp_path)
    assert torch.equal(Direction.load(saved).vector, learned[:, 1].detach())


def test_a_folder_without_a_direction(tmp_path: Path) -> None:
    with pytest.raises(sh.SemanticHubError, match=r"Direction\.load: got .*result\.json"):
        Direction.load(tmp_path)


def plain_transformers(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder).eval()


def hidden(plain: Any, tokens: torch.Tensor, layer: int) -> torch.Tensor:
    with torch.no_grad():
        return plain(tokens, output_hidden_states=True).hidden_states[layer][0]


def test_one_block_later_is_the_papers_steering(model, llama_folder) -> None:
    """Its code reads a direction from ``hidden_states[k]``, and adds it to the output of block k.

    Done here in plain transformers. ``hidden_states[k]`` is the input of block k.
    """
    plain, k, strength = plain_transformers(llama_folder), 1, 3.0
    plus, minus, prompt = map(model.to_tokens, ("The dog", "cat", "El perro ladra"))
    vector = hidden(plain, plus, k)[-1] - hidden(plain, minus, k)[-1]

    def add(module: Any, inputs: Any, output: Any) -> Any:
        hidden_states = output[0] if isinstance(output, tuple) else output
        changed = hidden_states + strength * vector
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    direction = activation_difference(model, "The dog", "cat", layer=k)
    with torch.no_grad():
        with steer(model, direction.at(k + 1), strength):
            later = model(prompt)
        with steer(model, direction, strength):
            same = model(prompt)
        plain.model.layers[k].register_forward_hook(add)
        expected = plain(prompt).logits
    torch.testing.assert_close(later, expected, atol=1e-4, rtol=1e-4)
    assert (same - expected).abs().max() > 0.1


def test_the_first_own_position_is_activation_addition_of_words_of_one_token(
    model, llama_folder
) -> None:
    """ActAdd lays the difference of both prompts over the first positions before block k.

    Done here in plain transformers. Both prompts begin with BOS, where nothing differs.
    """
    plain, k, strength = plain_transformers(llama_folder), 2, 4.0
    plus, minus, prompt = map(model.to_tokens, ("d", "c", "El perro ladra"))
    assert plus.shape == minus.shape == (1, 2)
    difference = hidden(plain, plus, k) - hidden(plain, minus, k)

    def add(module: Any, inputs: Any) -> Any:
        changed = inputs[0].clone()
        changed[:, :2] += strength * difference
        return (changed, *inputs[1:])

    with torch.no_grad():
        direction = activation_difference(model, "d", "c", layer=k)
        with steer(model, direction, strength, positions=(0, 1)):
            found = model(prompt)
        plain.model.layers[k].register_forward_pre_hook(add)
        torch.testing.assert_close(found, plain(prompt).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "other",
    [
        Direction(torch.ones(2), 2, "another layer"),
        Direction(torch.ones(2), None, "no layer"),
        Direction(torch.ones(3), 1, "another width"),
        Direction(torch.ones(2, 2), 1, "two rows"),
    ],
    ids=lambda direction: direction.description,
)
def test_what_does_not_add(other: Direction) -> None:
    with pytest.raises(sh.SemanticHubError, match="one layer, width and number of prompts"):
        ROWS + other


@pytest.mark.parametrize(
    "vector",
    [torch.tensor([1.0, float("nan")]), torch.empty(0, 4), torch.ones(2, 2, 2), torch.tensor(1.0)],
    ids=["NaN", "no rows", "three axes", "a number"],
)
def test_vectors_that_are_none(vector: torch.Tensor, without_shape_checks: None) -> None:
    with pytest.raises(sh.SemanticHubError, match=r"finite numbers of shape \[d_model\]"):
        Direction(vector, 1, "wrong")


def test_no_negative_layer() -> None:
    with pytest.raises(sh.SemanticHubError, match="a layer from 0"):
        EAST.at(-1)


@pytest.mark.parametrize("indices", [[], [3], [-1]])
def test_rows_that_are_not_there(indices: list[int]) -> None:
    with pytest.raises(sh.SemanticHubError, match="indices 0 to 2"):
        ROWS.rows(indices)


def test_average_of_nothing() -> None:
    with pytest.raises(sh.SemanticHubError, match="at least one"):
        Direction.average([])


def test_activation_difference_is_that_of_the_streams(model) -> None:
    states = sh.residual_stream(model, ["The dog", "The cat"], positions=lambda tokens: -1)
    found = activation_difference(model, "The dog", "The cat", layer=2)
    torch.testing.assert_close(found.vector, states[0, 2] - states[1, 2])
    torch.testing.assert_close(found.stream_norm, states[:, 2].norm(dim=-1).mean().item())
    assert (found.layer, found.description) == (2, "h('The dog') − h('The cat')")


def test_activation_difference_elsewhere(model) -> None:
    first = sh.residual_stream(model, ["The dog", "cat and dog"], positions=(0, 1), layers=[3])
    found = activation_difference(model, "The dog", "cat and dog", layer=3, position=0)
    torch.testing.assert_close(found.vector, first[0, 0] - first[1, 0])
    named = [sh.Prompt(text, position=0) for text in ("The dog", "cat and dog")]
    torch.testing.assert_close(activation_difference(model, *named, layer=3).vector, found.vector)


def test_mean_difference_of_unequal_numbers(model) -> None:
    plus, minus = ["The dog", "cat", "2+3="], ["The cat", "dog"]
    found = mean_differences(model, plus, minus)
    expected = sh.residual_stream(model, plus).mean(0) - sh.residual_stream(model, minus).mean(0)
    torch.testing.assert_close(torch.stack([d.vector for d in found.values()]), expected)
    assert list(found) == list(range(model.cfg.n_layers + 1))
    torch.testing.assert_close(mean_difference(model, plus, minus, 2).vector, found[2].vector)


def test_the_mean_of_paired_differences_is_the_difference_of_means(model) -> None:
    plus, minus = ["The dog", "cat", "2+3="], ["The cat", "dog", "4*5="]
    paired = paired_differences(model, plus, minus, layers=[3, 1])
    assert list(paired) == [3, 1]
    for layer, direction in paired.items():
        assert direction.n_rows == 3
        single = mean_difference(model, plus, minus, layer)
        torch.testing.assert_close(direction.mean().vector, single.vector)
        assert direction.stream_norm == single.stream_norm


@pytest.mark.parametrize("backend", BACKENDS)
def test_paired_differences_on_a_planted_model_are_its_codes(backend: str) -> None:
    model, world = (
        sh.load_model("planted-hub", device="cpu", backend=backend),
        planted_world("planted-hub"),
    )
    found = paired_differences(model, world.prompts("es")[1:4], world.prompts("es")[:3])
    stream = torch.as_tensor(expected_stream(world, "es")).float()
    for layer, direction in found.items():
        torch.testing.assert_close(
            direction.vector, (stream[1:4] - stream[:3])[:, layer], atol=1e-5, rtol=0
        )


def test_unpaired_prompts(model) -> None:
    with pytest.raises(sh.SemanticHubError, match="got 2 and 1 prompts"):
        paired_differences(model, ["dog", "cat"], ["dog"])


def test_no_prompts(model) -> None:
    with pytest.raises(
        sh.SemanticHubError, match="got no minus_prompts; expected at least one prompt"
    ):
        mean_differences(model, ["dog"], [])


def test_a_layer_that_the_model_lacks(model) -> None:
    with pytest.raises(sh.SemanticHubError, match="got layer 9; expected layers 0 to 3"):
        activation_difference(model, "dog", "cat", layer=9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unembedding_difference_averages_the_spellings(backend: str) -> None:
    model = sh.load_model("hub-mini", device="cpu", backend=backend)
    found = unembedding_difference(model, "good", " bad ")
    ids = {word: model.tokenizer.encode(word, add_special_tokens=False) for word in
           ("good", " good", "bad", " bad")}  # fmt: skip
    one = {word: tokens[0] for word, tokens in ids.items() if len(tokens) == 1}
    columns = [
        torch.stack([model.W_U[:, one[w]] for w in {word, f" {word}"} & set(one)]).mean(0)
        for word in ("good", "bad")
    ]
    assert len(one) >= 2
    torch.testing.assert_close(found.vector, (columns[0] - columns[1]).detach())
    assert found.layer is None


@pytest.mark.parametrize("space", ["", " "])
def test_unembedding_difference_of_one_spelling(space: str) -> None:
    """Each word as it is written: one column of the unembedding, found by the tokenizer alone."""
    model = sh.load_model("hub-mini", device="cpu")
    words = f"{space}black", f"{space}white"
    plus, minus = (
        model.tokenizer.encode(f"the{word}", add_special_tokens=False)[-1]
        if space
        else model.tokenizer.convert_tokens_to_ids(word)
        for word in words
    )
    found = unembedding_difference(model, *words, exact=True)
    torch.testing.assert_close(found.vector, (model.W_U[:, plus] - model.W_U[:, minus]).detach())
    both = unembedding_difference(model, *words).vector
    assert torch.cosine_similarity(found.vector, both, dim=0) < 0.999


@pytest.mark.parametrize("word", ["the dog", " black ", "", "狗狗狗狗"])
def test_spellings_that_are_not_one_token(word: str) -> None:
    model = sh.load_model("hub-mini", device="cpu")
    with pytest.raises(sh.SemanticHubError, match="one token as it is written"):
        unembedding_difference(model, "black", word, exact=True)


@pytest.mark.parametrize("word", ["the dog barks loudly", "狗狗狗狗", " "])
def test_words_that_are_not_one_token(model, word: str) -> None:
    with pytest.raises(sh.SemanticHubError, match="expected a word that is one token"):
        unembedding_difference(model, "dog", word)


def test_unembedding_difference_needs_a_tokenizer(model, monkeypatch) -> None:
    monkeypatch.setattr(model, "tokenizer", None)
    with pytest.raises(sh.SemanticHubError, match="a model without a tokenizer"):
        unembedding_difference(model, "dog", "cat")


def test_a_placebo_has_the_norms_of_its_model_row_by_row() -> None:
    rows = Direction(
        torch.randn(4, 64) * torch.tensor([[1.0], [2.0], [3.0], [0.0]]), 2, "rows", 5.0
    )
    placebo = random_direction(rows, seed=1)
    torch.testing.assert_close(placebo.vector.norm(dim=-1), rows.vector.norm(dim=-1))
    assert (placebo.layer, placebo.stream_norm) == (2, 5.0)
    cosines = torch.cosine_similarity(placebo.vector[:3], rows.vector[:3])
    assert cosines.abs().max() < 0.5


def test_placebos_differ_by_seed_alone() -> None:
    like = Direction(torch.ones(64), 2, "ones")
    draws = [random_direction(like, seed).vector for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_no_placebo_for_nothing() -> None:
    with pytest.raises(sh.SemanticHubError, match="nothing, which is zero at layer 2"):
        random_direction(Direction(torch.zeros(2, 4), 2, "nothing"))


def test_half_of_the_streams_norm_is_added_with_half_over_the_relative_norm(model: Any) -> None:
    direction = mean_difference(model, ["the dog", "dog"], ["the cat", "cat"], 2)
    strength = 0.5 / direction.relative_norm
    read = residual_stream(model, ["the dog", "dog", "the cat", "cat"], layers=[2])[:, 0]
    assert (strength * direction).norm == pytest.approx(read.norm(dim=-1).mean().item() / 2)
