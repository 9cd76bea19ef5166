"""The audio spoke: its data counted out, a listener with a known answer, every experiment run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from jaxtyping import Float
from tiny import BACKENDS, BASE, randomise
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from torch import Tensor

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.spec import UnembeddingContrast
from semantic_hub.plotting.text import display_token
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions
from semantic_hub.spokes.audio.inputs import EncodedClip, balanced, encode_clips
from semantic_hub.spokes.audio.interventions import MAMMALS, Question, other_answer, steering
from semantic_hub.spokes.audio.pairing import hard_negatives, pairs
from semantic_hub.spokes.audio.reading import readouts
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.audio.sounds.mel import log_mel
from semantic_hub.spokes.audio.sounds.synthesis import ANIMALS, animal_clips
from semantic_hub.spokes.audio.spoke import AudioSpoke
from semantic_hub.statistics.resampling import Resampling

FEW = ("dog", "cat", "cow", "owl", "bee", "frog")
Listener = Callable[[Float[np.ndarray, " sample"], int], Float[Tensor, "pos d_model"]]
N_FRAMES = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama whose tokens are the words of the spoke, and that says yes or no."""
    words = ["<s>", "</s>", "<pad>", "<unk>", *ANIMALS, "yes", "no", "mammal", "animal", ":", "."]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    folder = tmp_path_factory.mktemp("model") / "animals"
    config = transformers.LlamaConfig(**{**BASE, "vocab_size": len(words)})
    torch.manual_seed(0)
    network = randomise(transformers.LlamaForCausalLM(config))
    _answer(network, words)
    network.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module", params=BACKENDS)
def listening(request: pytest.FixtureRequest, folder: Path) -> Any:
    return sh.load_model(folder, device="cpu", backend=request.param)


def linear(waveform: Float[np.ndarray, " sample"], rate: int) -> Float[Tensor, "pos d_model"]:
    """A random projector of log-mel frames."""
    weights = torch.randn(40, 32, generator=torch.Generator().manual_seed(0)) / 6
    return torch.tensor(log_mel(Clip(waveform, rate, "?"))) @ weights


def perfect(model: Any, clips: tuple[Clip, ...], rows: int = 1) -> Listener:
    """A listener who hears the very word: the embedding of the clip's label, some times over."""
    labels = {clip.waveform.tobytes(): clip.label for clip in clips}

    def encode(waveform: np.ndarray, rate: int) -> Float[Tensor, "pos d_model"]:
        token = model.tokenizer.encode(labels[waveform.tobytes()], add_special_tokens=False)
        embedding = torch.as_tensor(model.embed(torch.tensor([token]))[0]).detach().float().cpu()
        return embedding.repeat(rows, 1)

    return encode


def _answer(network: Any, words: list[str]) -> None:
    """Make it say yes of some clips and no of others: along what differs most between them."""
    embed = network.model.embed_tokens.weight.data
    before, after = embed[:1], embed[[words.index("mammal"), words.index(":")]]
    features = [clip.span.features for clip in encode_clips(linear, animal_clips(FEW, [0]))]
    prompts = torch.stack([torch.cat([before, rows, after]) for rows in features])
    with torch.no_grad():
        states = network.model(inputs_embeds=prompts).last_hidden_state[:, -1]
    mean = states.mean(dim=0)
    differs = torch.linalg.svd(states - mean).Vh[0]
    differs -= (differs @ mean) / (mean @ mean) * mean
    network.lm_head.weight.data[words.index("yes")] = 40 * differs
    network.lm_head.weight.data[words.index("no")] = -40 * differs


def test_each_clip_is_encoded_once() -> None:
    heard: list[int] = []

    def encode(waveform: np.ndarray, rate: int) -> Tensor:
        heard.append(rate)
        return torch.zeros(4, 32)

    spoke = AudioSpoke(encode, animal_clips(seeds=[0]))
    for offer in (spoke.pairs, spoke.hard_negatives, spoke.readouts, spoke.interventions):
        assert offer()
    assert heard == [16_000] * len(ANIMALS)


def test_pairs_say_the_same_on_both_sides() -> None:
    found = AudioSpoke(linear, animal_clips(seeds=[0, 1])).pairs()
    assert found["label"].x[0].text == SOFT
    assert found["label"].y[1].text == "cat"
    assert found["asked"].x[0].text == f"{SOFT} animal:"
    assert found["asked"].y[1].text == "cat. animal:"
    assert found["asked"].labels[:2] == ("dog", "cat")
    assert all(len(x.soft) == 1 and not y.soft for x, y in found["label"])


def test_hard_negatives_are_another_animal_of_the_kind() -> None:
    spoke = AudioSpoke(linear, animal_clips(seeds=range(3)))
    for name, near in spoke.hard_negatives().items():
        matched = spoke.pairs()[name]
        assert near.x == matched.x
        for right, wrong in zip(matched.y, near.y, strict=True):
            right_animal, wrong_animal = (p.text.split(".")[0] for p in (right, wrong))
            assert right_animal != wrong_animal
            assert (right_animal in MAMMALS) == (wrong_animal in MAMMALS)


def test_hard_negatives_of_labels_that_no_question_knows() -> None:
    clips = [Clip(np.ones(9), 9, label) for label in ("rain", "dog barking", "thunder")]
    near = hard_negatives(encode_clips(lambda wave, rate: torch.zeros(1, 4), clips))
    assert near.y[0].text == "thunder"
    assert near.y[1].text in ("rain", "thunder")
    with pytest.raises(SemanticHubError, match="all labeled 'rain'"):
        hard_negatives(encode_clips(lambda wave, rate: torch.zeros(1, 4), clips[:1]))


def test_readouts_name_three_labels_and_take_every_position() -> None:
    encoded = encode_clips(linear, animal_clips(seeds=range(4)))
    one, every = readouts(encoded), readouts(encoded, rows="all")
    assert (len(one), len(every)) == (len(encoded), N_FRAMES * len(encoded))
    for clip, readout in zip(encoded, one, strict=True):
        words = [group[0] for group in readout.candidates.values()]
        assert list(readout.candidates) == ["hub", "surface", "control"]
        assert words[0] == clip.clip.label
        assert len(set(words)) == 3
    drawn = [readout.prompt.position.rows[0] for readout in one]
    assert min(drawn) < 5
    assert max(drawn) > 14
    assert [r.prompt.position.rows[0] for r in every[:N_FRAMES]] == list(range(N_FRAMES))


def deaf(n: int) -> tuple[EncodedClip, ...]:
    """So many clips of each animal that all sound the same."""
    clips = [Clip(np.zeros(1), 1, animal) for animal in ANIMALS]
    return encode_clips(lambda wave, rate: torch.zeros(1, 4), clips * n)


def test_other_labels_are_drawn_alike() -> None:
    """Every label is as often `surface` as `control`, so that a taste for one shows in both."""
    encoded = deaf(100)
    for group in ("surface", "control"):
        drawn = [readout.candidates[group][0] for readout in readouts(encoded)]
        counts = np.array([drawn.count(animal) for animal in ANIMALS])
        assert np.abs(counts - 100).max() < 4 * np.sqrt(100)


def test_a_deaf_model_with_a_favourite_has_no_margin() -> None:
    encoded = deaf(200)
    taste = {animal: place for place, animal in enumerate(ANIMALS)}
    found = [{g: taste[words[0]] for g, words in r.candidates.items()} for r in readouts(encoded)]
    hub = np.mean([r["hub"] > r["surface"] for r in found])
    control = np.mean([r["control"] > r["surface"] for r in found])
    assert abs(hub - 0.5) < 0.04
    assert abs(hub - control) < 0.05


def test_labels_of_several_words() -> None:
    labels = ["dog barking", "dog howling", "playing the drum kit", "owl hooting"]
    clips = [Clip(np.ones(9), 9, label) for label in labels]
    found = readouts(encode_clips(lambda wave, rate: torch.zeros(2, 4), clips))
    assert found[2].candidates["hub"] == ("playing", "drum", "kit")
    assert {found[0].candidates[g] for g in ("surface", "control")} == {
        ("playing", "drum", "kit"),
        ("owl", "hooting"),
    }
    with pytest.raises(SemanticHubError, match="'dog barking' shares words"):
        readouts(encode_clips(lambda wave, rate: torch.zeros(2, 4), clips[:3]))


@pytest.mark.parametrize("to_false", [True, False])
def test_steering_goes_to_the_other_answer_and_stays(to_false: bool) -> None:
    encoded = encode_clips(linear, animal_clips(seeds=range(3)))
    found = steering(encoded, true_to_false=to_false)
    other, same = found.contrasts["other answer"], found.contrasts["same answer"]
    assert isinstance(other, UnembeddingContrast)
    assert isinstance(same, UnembeddingContrast)
    assert len(found.prompts) == len(other.plus) == len(same.minus) == 18
    assert other.minus == same.minus
    for own, new, alike in zip(other.minus, other.plus, same.plus, strict=True):
        assert (own in MAMMALS) == to_false
        assert (new in MAMMALS) != to_false
        assert (alike in MAMMALS) == to_false
        assert alike != own
    assert len(set(other.plus)) > 3
    assert found.positions == SoftPositions()


def test_what_counts_as_a_flip() -> None:
    rule = other_answer("yes", "no")
    cases = {" no": "success", "No.": "success", " yes": "unchanged", "Yes, it": "unchanged",
             " nothing": "other", "": "other", " dog": "other", "\n": "other"}  # fmt: skip
    assert {said: rule.compare(" yes", said) for said in cases} == cases
    assert [rule.is_usable(own) for own in (" yes", "YES", " no", "", "yesterday")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_questions_of_your_own() -> None:
    flies = Question("{clip} Can it fly?", frozenset({"owl", "bee"}), frozenset({"dog", "cow"}))
    spoke = AudioSpoke(linear, animal_clips(["dog", "cow", "owl", "frog"], [0]), flies)
    assert list(spoke.interventions()) == ["no -> yes", "P(yes), no -> yes"]
    prompts = spoke.interventions()["no -> yes"].prompts
    assert [p.text for p in prompts] == [f"{SOFT} Can it fly?"] * 2
    with pytest.raises(SemanticHubError, match="'owl' as true and as false"):
        Question(true_of=frozenset({"owl"}), false_of=frozenset({"owl"}))


def test_balanced() -> None:
    clips = [*animal_clips(["dog", "owl"], range(3)), *animal_clips(["bee"], [0, 1])]
    kept = [clip.label for clip in balanced(clips)]
    assert [kept.count(name) for name in ("dog", "owl", "bee")] == [2, 2, 2]
    assert balanced([]) == ()


def test_bad_input() -> None:
    with pytest.raises(SemanticHubError, match="2 clips of 2 labels"):
        AudioSpoke(linear, animal_clips(["dog", "owl"], [0]))
    encoded = encode_clips(linear, animal_clips(["dog", "owl"], [0]))
    for template in ("mammal:", "{clip} and {clip}"):
        with pytest.raises(SemanticHubError, match=r"one \{clip\} in it"):
            pairs(encoded, template)
    with pytest.raises(SemanticHubError, match="to steer, towards"):
        steering(encoded)
    with pytest.raises(SemanticHubError, match="NaN"):
        encode_clips(lambda wave, rate: torch.full((2, 4), torch.nan), animal_clips(["dog"], [0]))


def test_features_of_another_width(listening: Any) -> None:
    spoke = AudioSpoke(lambda wave, rate: torch.zeros(4, 31), animal_clips(seeds=[0]))
    with pytest.raises(SemanticHubError, match="31"):
        sh.similarity(
            listening, spoke.pairs()["label"], resampling=Resampling(resamples=20), permutations=20
        )


def test_who_hears_the_word_is_as_good_as_who_reads_it(listening: Any) -> None:
    clips = animal_clips(seeds=[0])
    spoke = AudioSpoke(perfect(listening, clips), clips, caption="{label}")
    for found in spoke.pairs().values():
        heard, read = (sh.residual_stream(listening, side) for side in (found.x, found.y))
        assert (heard - read).abs().max() < 1e-5
    result = sh.similarity(
        listening, spoke.pairs()["label"], resampling=Resampling(resamples=20), permutations=200
    )
    assert result.matched.min() > 0.9999
    assert result.p_corrected[0] < 0.05


def test_positions_of_a_clip_are_where_its_features_are(listening: Any) -> None:
    clips = animal_clips(seeds=[0])
    encoded = encode_clips(perfect(listening, clips, rows=3), clips)
    states = sh.residual_stream(listening, [r.prompt for r in readouts(encoded, rows="all")])
    expected = sh.residual_stream(
        listening, [f"{c.label} " * (row + 1) for c in clips for row in range(3)]
    )
    assert (states - expected).abs().max() < 1e-5


def test_the_mean_over_positions(listening: Any) -> None:
    encoded = encode_clips(linear, animal_clips(FEW, seeds=range(2)))
    lens = sh.logit_lens(
        listening, readouts(encoded, rows="all"), resampling=Resampling(resamples=20)
    )
    means = lens.pooled(N_FRAMES)
    assert means.log_prob.shape == (len(encoded), 4, 3)
    clip = slice(5 * N_FRAMES, 6 * N_FRAMES)
    assert torch.allclose(means.log_prob[5], lens.log_prob[clip].mean(dim=0), atol=1e-6)
    assert torch.equal(means.rank[5], lens.rank[clip].median(dim=0).values)
    assert means.share("hub", "surface").value.shape == (4,)
    with pytest.raises(SemanticHubError, match="not 21 to an item"):
        lens.pooled(21)


@pytest.mark.slow
def test_every_experiment_runs(listening: Any) -> None:
    spoke = AudioSpoke(linear, animal_clips(FEW, range(2)))
    found = sh.run(listening, spoke, resampling=Resampling(resamples=20), permutations=20)
    assert list(found.similarity) == ["label", "asked"]
    assert "hard negatives" in found.similarity["label"].controls
    assert found.lens["label"].log_prob.shape == (12, 4, 3)
    assert len(found.top_tokens["label"].prompts) == 3
    assert list(found.steering) == ["yes -> no", "no -> yes"]
    assert list(found.answer_probability) == ["P(yes), yes -> no", "P(yes), no -> yes"]
    assert set(found.to_frame()["evidence"]) == {
        "similarity",
        "lens",
        "steering",
        "answer_probability",
    }
    assert found.spelled_out["each position, dog"].tokens.shape == (N_FRAMES, 4, 1)
    drawn = spoke.figures(found)
    assert [title.split(",")[1] for title in drawn] == [" dog", " cat"]
    first = next(iter(drawn.values()))
    top = found.spelled_out["each position, dog"].to_frame().query("layer == 2")
    assert list(first.data[1].text) == [display_token(text) for text in top["text"]]


@pytest.mark.parametrize("to_false", [True, False])
def test_only_answers_that_the_model_gives_can_flip(listening: Any, to_false: bool) -> None:
    encoded = encode_clips(linear, animal_clips(FEW, range(4)))
    experiment = replace(steering(encoded, true_to_false=to_false), strengths=(1.0,))
    own = sh.top_tokens(listening, list(experiment.prompts), k=1, layers=[3])
    said = [own.texts[str(token)].strip() for token in own.tokens[:, 0, 0].tolist()]
    assert {"yes", "no"} <= set(said)
    wanted = said.count("yes" if to_false else "no")
    found = intervene(listening, experiment, resampling=Resampling(resamples=20))
    assert found.directions == (
        "other answer",
        "same answer",
        "placebo",
        "placebo, states' covariance",
    )
    assert found.outcome.shape[-1] == wanted
    assert sum(found.dropped.values()) == len(said) - wanted
    assert (found.outcome[:, :, found.strengths.index(0.0)] == 1).all(), "unsteered: unchanged"


def test_an_answer_is_flipped_by_what_flips_it(listening: Any) -> None:
    """At the last layer, where it reads, the answer's own direction is all that counts."""
    encoded = encode_clips(linear, animal_clips(FEW, range(4)))
    experiment = replace(
        steering(encoded),
        contrasts={"no": UnembeddingContrast("no", "yes")},
        strengths=(4.0,),
        positions="last",
    )
    success = (
        intervene(listening, experiment, resampling=Resampling(resamples=20))
        .share("success", "no")
        .value
    )
    assert success[-1].tolist() == [0.0, 1.0]
