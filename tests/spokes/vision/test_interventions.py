"""Recoloured halves and exchanged pictures: which positions, which directions, what counts."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import torch
from seeing import encoded_pictures, encoder, plain_features

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.spec import Patching, UnembeddingContrast
from semantic_hub.interventions.steering.contrasts import unembedding_difference
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions
from semantic_hub.spokes.vision.images.drawn import (
    Canvas,
    drawn_pictures,
    halves,
    one_color,
    random_pictures,
)
from semantic_hub.spokes.vision.images.picture import COLORS
from semantic_hub.spokes.vision.inputs import Wording, encode_picture
from semantic_hub.spokes.vision.interventions import (
    COMBINATIONS,
    WHOLE_PICTURE,
    new_color,
    patch_pairs,
    recolor_items,
    steering,
)
from semantic_hub.statistics.resampling import Resampling


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("green", "success"),
        (" green.", "success"),
        (" Green", "success"),
        ("\n“green”", "success"),
        ("red", "unchanged"),
        (" red, green", "unchanged"),
        ("greenish", "other"),
        ("a green one", "other"),
        ("blue", "other"),
        ("4 green", "other"),
        ("", "other"),
        (" .", "other"),
    ],
)
def test_outcomes_of_red_to_green(text: str, outcome: str) -> None:
    assert new_color(("blue", "red"), ("red", "green"))(1, text) == outcome


def test_48_combinations_are_different_pairs_with_a_third_colour() -> None:
    drawn = [picture for picture in drawn_pictures() if picture.kind == "halves"]
    items = recolor_items(encoded_pictures(drawn))
    assert len(items) == COMBINATIONS == 48
    pairs = [tuple(r.color for r in item.encoded.picture.regions) for item in items]
    assert len(set(pairs)) == 48
    assert all(item.new not in pair for item, pair in zip(items, pairs, strict=True))
    assert Counter(item.old_region.name for item in items) == {"left": 24, "right": 24}
    assert {item.new for item in items} == set(COLORS)


def test_steering_by_hand() -> None:
    picture = halves("red", "blue", Canvas(jitter=0))
    items = recolor_items(encoded_pictures([picture, picture]), seed=1)
    replaced, added = steering(items), steering(items, mode="add")
    assert [p.text for p in replaced.prompts] == [f"{SOFT} left:", f"{SOFT} right:"]
    assert replaced.positions == (
        SoftPositions(rows=(0, 1, 4, 5, 8, 9, 12, 13)),
        SoftPositions(rows=(2, 3, 6, 7, 10, 11, 14, 15)),
    )
    words = replaced.contrasts["new - old colour"]
    assert words == UnembeddingContrast(tuple(item.new for item in items), ("red", "blue"))
    assert (replaced.mode, replaced.all_later_layers, replaced.strengths) == (
        "replace",
        True,
        (1.0,),
    )
    assert (added.mode, added.all_later_layers) == ("add", False) and len(added.strengths) > 3
    for index, item in enumerate(items):
        assert replaced.outcome(index, item.new) == "success"
        assert replaced.outcome(index, item.old_region.color) == "unchanged"
    with pytest.raises(SemanticHubError, match="no pictures"):
        steering([])


def test_words_are_one_pair_or_one_for_each_prompt() -> None:
    task = steering(
        recolor_items(encoded_pictures([halves("red", "blue"), halves("pink", "grey")]))
    )
    with pytest.raises(SemanticHubError, match="wrong contrasts: w"):
        replace(task, contrasts={"w": UnembeddingContrast(("red",), ("blue", "grey"))})
    mixed = replace(
        task, contrasts={"w": UnembeddingContrast("white", ("blue", "grey"))}
    ).contrasts["w"]
    assert isinstance(mixed, UnembeddingContrast)
    assert mixed.pairs_per_prompt(2) == (("white", "blue"), ("white", "grey"))


def test_only_pictures_with_two_colours_are_recoloured() -> None:
    assert recolor_items(encoded_pictures(random_pictures(5, kind="one colour"))) == ()
    assert len(recolor_items(encoded_pictures(random_pictures(5, kind="shapes")))) > 0


def test_a_sweep_from_a_layer_on_is_one_context_for_each_layer(seeing: Any) -> None:
    """Each prompt by hand: its own words, its own half, every layer from l on."""
    drawn = random_pictures(4, kind="halves", seed=5)
    items = recolor_items([encode_picture(encoder(seeing), picture) for picture in drawn])
    task = steering(items, max_new_tokens=2)
    found = intervene(seeing, task)
    norms = sh.residual_stream(seeing, task.prompts).norm(dim=-1).mean(dim=0)
    steered = list(found.strengths).index(1.0)
    for index, item in enumerate(items):
        direction = unembedding_difference(seeing, item.new, item.old_region.color)
        for column, layer in enumerate(found.layers):
            with ExitStack() as steers:
                for reached in range(layer, seeing.cfg.n_layers + 1):
                    long = direction / direction.norm * float(norms[reached])
                    context = sh.steer(
                        seeing, long.at(reached), positions=task.positions[index], mode="replace"
                    )
                    steers.enter_context(context)
                says = next_word(seeing, task.prompts[index])
            assert (
                int(found.outcome[0, column, steered, index]) == OUTCOME[task.outcome(index, says)]
            )


OUTCOME = {"success": 0, "unchanged": 1, "other": 2}


def next_word(model: Any, prompt: Any) -> str:
    """The likeliest next token, whatever is steered around this."""
    last = sh.residual_stream(model, [prompt])[:, -1]
    logits = model.unembed(model.ln_final(last[:, None]))
    return model.tokenizer.decode([int(logits[0, 0].argmax())])


def test_steering_changes_the_patches_of_the_half_and_no_others(seeing: Any) -> None:
    encoded = encode_picture(encoder(seeing), halves("red", "blue", Canvas(jitter=0)))
    prompt = encoded.prompt(Wording().question_about(encoded.picture.regions[0]))
    direction = unembedding_difference(seeing, "green", "red").at(1)
    places = [[SoftPositions(rows=(row,))] for row in range(16)]
    with sh.steer(seeing, direction, positions=encoded.region_positions(1), mode="replace"):
        steered = [
            sh.residual_stream(seeing, [prompt], positions=p[0], layers=[1])[0, 0] for p in places
        ]
    plain = [sh.residual_stream(seeing, [prompt], positions=p[0], layers=[1])[0, 0] for p in places]
    for row, (new, old) in enumerate(zip(steered, plain, strict=True)):
        torch.testing.assert_close(new, direction.vector if row % 4 >= 2 else old)


@pytest.mark.parametrize("kind", ["one colour", "halves", "shapes"])
def test_exchanges_ask_the_same_part_with_another_colour(kind: str) -> None:
    found = patch_pairs(encoded_pictures(random_pictures(30, kind=kind)))
    assert len(found) > 10
    for pair in found:
        assert pair.sources[0].text == pair.base.text
        assert pair.sources[0].soft != pair.base.soft
        assert pair.answers["source"] != pair.answers["base"]


def test_a_picture_put_in_at_the_embedding_is_that_picture(seeing: Any) -> None:
    encoded = [
        encode_picture(encoder(seeing), p) for p in random_pictures(8, kind="halves", seed=4)
    ]
    found = intervene(
        seeing, Patching(patch_pairs(encoded), WHOLE_PICTURE), resampling=Resampling(resamples=20)
    )
    first = found.log_prob[:, 0, 0]
    torch.testing.assert_close(first, found.reference_log_prob, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found.base_log_prob, found.reference_log_prob, atol=1e-3)
    assert "another source" in found.controls


def test_pictures_of_other_sizes_are_not_exchanged() -> None:
    one, two = one_color("red"), one_color("blue")
    small = encode_picture(lambda image: plain_features(image)[:9], two, (3, 3))
    assert patch_pairs([*encoded_pictures([one]), small]) == ()
    assert len(patch_pairs(encoded_pictures([one, two]))) == 2
