"""Whole words, the default, against plain transformers' teacher-forced probability, and the formula by hand."""

import math
from itertools import chain

import pytest
import torch
import transformers

from semantic_hub.activations.recorded import States
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.lenses.lens import Lens
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.models import loading as models
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import AMBIGUOUS, SHARED, places, word_tokens
from semantic_hub.statistics.resampling import Resampling

TEXT = "The dog barks at the"
WORDS = {1: "gato", 2: "cats", 3: "barks", 4: "runs", 6: "plusses"}
"""Words by the number of tokens of one of their spellings."""
READOUTS = [
    Readout(Prompt(TEXT), {"one": (WORDS[1],), "other": (WORDS[2], WORDS[3])}),
    Readout(Prompt("El perro ladra al gato", position=2), {"one": (WORDS[4],), "other": ("dog",)}),
    Readout(Prompt("2+3="), {"one": (WORDS[6],), "other": ("cat", "five")}),
]


@pytest.fixture(scope="module", params=["gpt2", "gemma2"])
def architecture(request):
    return request.param


def teacher_forced(network, tokens: list[int], pieces: tuple[int, ...]) -> float:
    """log p(pieces | tokens) of a transformers model, in one forward pass over all of them."""
    with torch.no_grad():
        logits = network(torch.tensor([[*tokens, *pieces]])).logits[0].log_softmax(dim=-1)
    start = len(tokens) - 1
    return sum(logits[start + k, piece].item() for k, piece in enumerate(pieces))


def read_tokens(model, prompt: Prompt) -> list[int]:
    """BOS and the text's tokens, up to the one that is read."""
    own = model.tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
    last = len(own) - 1 if prompt.position is None else prompt.position
    return [model.tokenizer.bos_token_id, *own[: last + 1]]


def in_place(model, prompt: Prompt, word: str) -> tuple[tuple[int, ...], ...]:
    [place] = places(model, [prompt])
    return word_tokens(model.tokenizer, word, before=place).spellings


def expected_last_layer(network, model, readout: Readout) -> list[float]:
    tokens = read_tokens(model, readout.prompt)
    return [
        max(
            math.log(
                sum(
                    math.exp(teacher_forced(network, tokens, spelling))
                    for spelling in in_place(model, readout.prompt, word)
                )
            )
            for word in words
        )
        for words in readout.candidates.values()
    ]


def assert_agrees_at_the_last_layer(model, folder) -> None:
    network = transformers.AutoModelForCausalLM.from_pretrained(folder)
    lens = logit_lens(model, READOUTS, layers=[model.cfg.n_layers])
    assert lens.kept == (0, 1, 2) and not lens.first_token_only.any()
    for index, readout in enumerate(READOUTS):
        expected = expected_last_layer(network, model, readout)
        assert lens.log_prob[index, 0].tolist() == pytest.approx(expected, abs=1e-4)


def test_the_words_have_as_many_tokens_as_they_say(model):
    for length, word in WORDS.items():
        assert length in map(len, word_tokens(model.tokenizer, word).spellings)


def test_the_last_layer_is_the_models_own_probability_of_the_word(model, llama_folder):
    assert_agrees_at_the_last_layer(model, llama_folder)


def test_so_it_is_in_other_architectures(architecture, checkpoint):
    folder = checkpoint(architecture)
    assert_agrees_at_the_last_layer(models.load_model(folder, device="cpu"), folder)


@pytest.mark.parametrize("lens", ["logit", "raw"])
def test_a_layer_says_the_first_token_and_the_model_the_rest(model, lens):
    """The formula written out: one text and one softmax at a time; the worst rank counts."""
    read = logit_lens(model, READOUTS[:1], lens=lens)
    tokens = read_tokens(model, READOUTS[0].prompt)
    for layer in range(model.cfg.n_layers + 1):
        for group, words in enumerate(READOUTS[0].candidates.values()):
            of_words = [
                [
                    slow_score(model, tokens, s, layer, lens)
                    for s in in_place(model, Prompt(TEXT), word)
                ]
                for word in words
            ]
            best = max(math.log(sum(math.exp(score) for score, _ in scores)) for scores in of_words)
            _, rank = max(chain.from_iterable(of_words))
            assert read.log_prob[0, layer, group].item() == pytest.approx(best, abs=1e-4)
            assert read.rank[0, layer, group].item() == rank


def slow_score(model, tokens, spelling, layer, lens) -> tuple[float, int]:
    stream = residual_stream(model, [tokens])[0, layer]
    with torch.no_grad():
        normed = model.ln_final(stream[None, None]) if lens == "logit" else stream[None, None]
        said = [model.unembed(normed)[0, 0].log_softmax(dim=-1)]
        for k in range(1, len(spelling)):
            said.append(model(torch.tensor([[*tokens, *spelling[:k]]]))[0, -1].log_softmax(dim=-1))
    worst = max(1 + int((p > p[piece]).sum()) for p, piece in zip(said, spelling, strict=True))
    return sum(p[piece].item() for p, piece in zip(said, spelling, strict=True)), worst


def test_what_the_tokenizer_splits_moves_with_its_first_token_alone(model):
    """Between layers, log p of a word of one spelling differs as that of its first token does."""
    readouts = [Readout(Prompt(TEXT), {"one": ("cats",), "other": ("gato",)})]
    [spelling] = in_place(model, readouts[0].prompt, "cats")
    assert len(spelling) == 2
    whole, first = (
        logit_lens(model, readouts, whole_words=whole_words) for whole_words in (True, False)
    )
    rest = (whole.log_prob - first.log_prob)[0, :, 0]
    assert torch.allclose(rest, rest[-1].expand_as(rest), atol=1e-4) and rest[-1] < -1


DOUBLED = Lens.of(lambda layer, residual: 2 * residual + layer, name="doubled")


@pytest.mark.parametrize("lens", ["logit", "raw", DOUBLED])
def test_words_of_one_token_score_as_before(model, lens):
    readouts = [
        Readout(Prompt(TEXT), {"en": ("cat", "dog"), "es": ("gato",)}),
        Readout(Prompt("El perro", position=0), {"en": ("equals",), "es": ("perro", "plus")}),
    ]
    before = logit_lens(model, readouts, lens=lens, whole_words=False)
    whole = logit_lens(model, readouts, lens=lens)
    assert torch.allclose(whole.log_prob, before.log_prob, atol=1e-5)
    assert torch.equal(whole.rank, before.rank)
    assert whole.n_tokens.tolist() == [[1, 1], [1, 1]] == before.n_tokens.tolist()


def test_words_that_begin_alike_are_told_apart(model, llama_folder):
    alike = Readout(Prompt(TEXT), {"one": ("cats",), "other": ("cata",)})
    readouts = [alike, READOUTS[0]]
    assert logit_lens(model, readouts, whole_words=False).dropped[AMBIGUOUS] == 1
    lens = logit_lens(model, readouts)
    assert lens.kept == (0, 1) and lens.dropped[AMBIGUOUS] == 0
    network = transformers.AutoModelForCausalLM.from_pretrained(llama_folder)
    expected = expected_last_layer(network, model, alike)
    assert expected[0] != pytest.approx(expected[1], abs=0.01)
    assert lens.log_prob[0, -1].tolist() == pytest.approx(expected, abs=1e-4)


def test_a_word_that_begins_a_word_of_another_group_is_dropped(model):
    """Its probability would include the longer word's."""
    beginning = Readout(Prompt(TEXT), {"one": ("cat",), "other": ("cats",)})
    same_group = Readout(Prompt(TEXT), {"one": ("cat", "cats"), "other": ("gato",)})
    lens = logit_lens(model, [beginning, same_group])
    assert lens.kept == (1,) and lens.dropped[SHARED] == 1
    alone = Readout(Prompt(TEXT), {"one": ("cat",), "other": ("gato",)})
    expected = logit_lens(model, [alone])
    assert torch.allclose(lens.log_prob, expected.log_prob, atol=1e-5)


def test_where_the_context_ends_words_are_scored_by_their_first_token(model):
    full = Prompt(tokens=(5,) * (model.cfg.n_ctx - 1))
    readouts = [
        Readout(full, {"one": ("cats",), "other": ("five",)}),
        Readout(Prompt(TEXT), {"one": ("cats",), "other": ("five",)}),
        Readout(full, {"one": ("barks",), "other": ("bark",)}),
    ]
    lens = logit_lens(model, readouts)
    assert lens.kept == (0, 1) and lens.dropped[AMBIGUOUS] == 1
    assert lens.first_token_only.tolist() == [[False, True], [False, False]]
    assert lens.n_tokens.tolist() == [[2, 1], [2, 3]]
    assert lens.scored_as == {
        "one": {"first token": 0, "several tokens": 2, "one token": 0},
        "other": {"first token": 1, "several tokens": 1, "one token": 0},
    }
    first = logit_lens(model, readouts[:1], whole_words=False)
    assert torch.allclose(lens.log_prob[:1, :, 1], first.log_prob[..., 1], atol=1e-5)
    assert (lens.log_prob[0, :, 0] < first.log_prob[0, :, 0]).all()


def test_a_word_may_follow_a_space_marker_in_full_alone(model):
    """Its first token alone says nothing, but in full it is how a text goes on with " runs"."""
    found = word_tokens(model.tokenizer, "runs")
    marker = model.tokenizer.convert_tokens_to_ids("Ġ")
    assert marker not in found.tokens and marker in [spelling[0] for spelling in found.spellings]


def test_batches_change_no_number(model):
    whole = logit_lens(model, READOUTS)
    again = logit_lens(model, READOUTS, batch_size=1)
    assert torch.allclose(whole.log_prob, again.log_prob, atol=1e-5)
    assert torch.equal(whole.rank, again.rank)


def test_recorded_states_are_read_by_first_tokens(model):
    """Nothing can go on from states that were read elsewhere."""
    recorded = States(
        [readout.prompt for readout in READOUTS],
        residual_stream(model, [readout.prompt for readout in READOUTS]),
        tokenizer=model.tokenizer,
        unembedding=model.W_U,
        final_norm=model.ln_final,
    )
    lens = logit_lens(recorded, READOUTS)
    first = logit_lens(model, READOUTS, whole_words=False)
    assert torch.allclose(lens.log_prob, first.log_prob, atol=1e-4)
    assert torch.equal(lens.first_token_only, first.first_token_only)
    assert lens.first_token_only.any() and lens.manifest["whole_words"] is False


def test_the_result_says_how_it_was_scored_and_survives_a_save(model, tmp_path):
    lens = logit_lens(model, READOUTS, resampling=Resampling(resamples=20))
    assert lens.manifest["whole_words"] is True
    assert lens.scored_as["one"] == {"first token": 0, "several tokens": 2, "one token": 1}
    again = LensResult.load(lens.save(tmp_path))
    assert again.scored_as == lens.scored_as and again.to_frame().equals(lens.to_frame())
    assert logit_lens(model, READOUTS, whole_words=False).manifest["whole_words"] is False
