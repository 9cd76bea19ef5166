"""The lens against the formula written out: whole softmax, one read-out and layer at a time."""

import math
from itertools import chain

import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses import projection as lens_module
from semantic_hub.lenses.lens import Lens
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.topk import TopTokens, top_tokens
from semantic_hub.models import loading as models
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import places, word_tokens
from semantic_hub.statistics.resampling import Resampling

READOUTS = [
    Readout(Prompt("The dog barks at the"), {"en": ("cat", "dog"), "es": ("gato",)}),
    Readout(Prompt("El perro ladra al gato", position=2), {"en": ("dog",), "es": ("perro",)}),
    Readout(Prompt("2+3="), {"en": ("five",), "es": ("5",)}),
]


@pytest.fixture(scope="module", params=["llama", "gpt2", "gemma2"])
def any_model(request, checkpoint):
    return models.load_model(checkpoint(request.param), device="cpu")


def slow_lens(model, readout, lens, layer):
    """Each group's likeliest word and the worst rank in its likeliest spelling, from softmaxes."""
    stream = residual_stream(model, [readout.prompt])[0, layer]
    with torch.no_grad():
        is_normed = lens == "logit" or (lens == "paper" and layer == model.cfg.n_layers)
        normed = model.ln_final(stream[None, None]) if is_normed else stream[None, None]
        logits = model.unembed(normed)[0, 0]
        cap = model.cfg.output_logits_soft_cap
        logits = cap * torch.tanh(logits / cap) if cap > 0 else logits
    [place] = places(model, [readout.prompt])
    own = model.to_tokens(readout.prompt.text)[0].tolist()
    position = readout.prompt.position
    before = own if position is None else own[: position + 2]  # BOS and the text's own tokens
    for words in readout.candidates.values():
        of_words = [
            [
                word_score(model, before, spelling, logits)
                for spelling in word_tokens(model.tokenizer, word, before=place).spellings
            ]
            for word in words
        ]
        likeliest = max(sum(p for p, _ in scores) for scores in of_words)
        yield math.log(likeliest), max(chain.from_iterable(of_words))[1]


def word_score(model, before, spelling, logits):
    """Probability and worst rank of a spelling: a layer's first token, the model's own rest."""
    probability, worst = 1.0, 0
    for k, token in enumerate(spelling):
        if k:
            with torch.no_grad():
                logits = model(torch.tensor([[*before, *spelling[:k]]]))[0, -1]
        p = logits.double().softmax(dim=-1)
        probability, worst = (
            probability * p[token].item(),
            max(worst, 1 + int((p > p[token]).sum())),
        )
    return probability, worst


@pytest.mark.parametrize("name", ["logit", "raw", "paper"])
def test_agrees_with_the_softmax_over_all_tokens(any_model, name):
    lens = logit_lens(any_model, READOUTS, lens=name)
    assert lens.n_tokens.max() > 1 and not lens.first_token_only.any()
    assert lens.groups == ("en", "es") and lens.kept == (0, 1, 2)
    for index, readout in enumerate(READOUTS):
        for layer in range(any_model.cfg.n_layers + 1):
            expected = list(slow_lens(any_model, readout, name, layer))
            assert lens.log_prob[index, layer].tolist() == pytest.approx(
                [log_prob for log_prob, _ in expected], abs=1e-5
            )
            assert lens.rank[index, layer].tolist() == [rank for _, rank in expected]


def test_last_layer_is_the_models_own_prediction(any_model):
    with torch.no_grad():
        logits = any_model(any_model.to_tokens("The dog barks at the"))[0, -1]
    tokens = list(word_tokens(any_model.tokenizer, "gato").firsts)
    tokens = [token for token in tokens if any_model.tokenizer.decode([token])[0] == " "]
    expected = logits.log_softmax(dim=-1)[tokens].logsumexp(dim=0).item()
    last = logit_lens(any_model, READOUTS[:1], layers=[any_model.cfg.n_layers], whole_words=False)
    assert last.log_prob[0, 0, 1].item() == pytest.approx(expected, abs=1e-5)


def test_both_classes_agree_with_the_formula(model):
    lens = logit_lens(model, READOUTS[:1])
    expected = [log_prob for log_prob, _ in slow_lens(model, READOUTS[0], "logit", 2)]
    assert lens.log_prob[0, 2].tolist() == pytest.approx(expected, abs=1e-5)


def test_what_a_lens_returns_goes_through_the_final_norm(model):
    seen = []

    def identity(layer, residual):
        seen.append(layer)
        return residual

    lens = Lens.of(identity, name="identity")
    tuned = logit_lens(model, READOUTS, lens=lens, layers=[1, 3])
    plain = logit_lens(model, READOUTS, layers=[1, 3])
    assert seen == [1, 3] and torch.equal(tuned.log_prob, plain.log_prob)
    assert tuned.manifest["lens"] == "identity" and plain.manifest["lens"] == "logit"


def test_a_lens_that_knows_the_answer_reads_it_at_every_layer(model):
    """One that gives every layer the last layer's state makes all layers agree with the last."""
    last = residual_stream(model, [r.prompt for r in READOUTS], layers=[model.cfg.n_layers])[:, 0]
    oracle = Lens.of(lambda layer, residual: last, name="oracle")
    lens = logit_lens(model, READOUTS, lens=oracle)
    assert torch.allclose(lens.log_prob, lens.log_prob[:, -1:].expand_as(lens.log_prob))


def test_a_block_holds_several_layers(model, monkeypatch):
    """The host copies its unembedding at each call: as few calls as the block's size allows."""
    calls = []
    states = residual_stream(model, [r.prompt for r in READOUTS])
    counted = lens_module.unembed
    monkeypatch.setattr(
        lens_module, "unembed", lambda *args: calls.append(len(args[1])) or counted(*args)
    )
    whole = list(lens_module.lens_logits(model, states, range(4)))
    assert calls == [4]
    for index, block, logits in whole:
        alone = counted(model, model.ln_final(states[None, block, index])[0])
        assert torch.allclose(logits, alone, atol=1e-6)
    calls.clear()
    monkeypatch.setattr(lens_module, "_BLOCK", 7 * model.cfg.d_vocab)
    list(lens_module.lens_logits(model, states, range(4)))
    assert calls == [2, 2]


def test_ranks_are_counted_only_where_asked_for(model):
    states = residual_stream(model, [READOUTS[0].prompt])
    tokens = [[[5, 6], [7]]]
    log_prob, rank = lens_module.score(model, states, range(4), tokens)
    again, none = lens_module.score(model, states, range(4), tokens, ranks=False)
    assert torch.equal(log_prob, again) and rank.min() >= 1 and not none.any()


def test_no_row_is_unembedded_where_a_rival_is_above_the_words(any_model, monkeypatch):
    states = torch.randn(2, 3, any_model.cfg.d_model)
    normed = lens_module.final_norm(any_model, states)
    logits = lens_module.unembed(any_model, normed)
    lowest, highest = logits.amax(dim=(0, 1)).argmin().item(), logits.argmax(dim=-1).unique()
    asked = []
    whole = lens_module.unembed
    monkeypatch.setattr(
        lens_module, "unembed", lambda m, s: asked.append(s.shape[:-1].numel()) or whole(m, s)
    )
    found, on_top = lens_module.compare_words(
        any_model, states, [[[[(lowest,)]]]] * 2, highest.tolist()
    )
    assert not on_top.any() and sum(asked) == 0
    assert torch.allclose(found[..., 0], logits[..., lowest], atol=1e-5)


@pytest.mark.parametrize("rivals", [[5], range(40)], ids=["hardly any", "many"])
def test_words_compared_are_words_scored_over_the_whole_vocabulary(any_model, monkeypatch, rivals):
    """Some rows have a word of the first group on top, some of the second, some of neither."""
    generator = torch.Generator().manual_seed(0)
    states = 3 * torch.randn(2, 30, any_model.cfg.d_model, generator=generator)
    whole = lens_module.unembed
    tops = whole(any_model, lens_module.final_norm(any_model, states)).topk(2).indices.tolist()
    words = []
    for of_readout in tops:
        first = {top for top, _ in of_readout[::5]}
        second = {other for _, other in of_readout} - first
        words.append([[[(t,)] for t in sorted(group)] for group in (first, second)])
        words[-1][0].append([(token,) for token in of_readout[1]])  # one word in two spellings
    unembedded = []
    monkeypatch.setattr(
        lens_module, "unembed", lambda m, s: unembedded.append(s.shape[:-1].numel()) or whole(m, s)
    )
    logit, on_top = lens_module.compare_words(any_model, states, words, list(rivals))
    n_unembedded, n_rows = sum(unembedded), states.shape[0] * states.shape[1]
    layers = [any_model.cfg.n_layers] * states.shape[1]
    log_prob, rank = lens_module.score_words(any_model, states, layers, words)
    assert torch.equal(on_top, rank == 1) and 0 < on_top.any(dim=-1).sum() < n_rows
    gap = logit - log_prob
    assert torch.allclose(gap, gap[..., :1].expand_as(gap), atol=1e-4)
    assert on_top.any(dim=-1).sum() <= n_unembedded <= n_rows


def test_half_precision_unembeds_in_float32(checkpoint):
    """From the same states: the weights' own rounding is all that is left."""
    half = models.load_model(checkpoint("llama"), device="cpu", dtype=torch.bfloat16)
    prompts = [r.prompt for r in READOUTS]
    states = residual_stream(half, prompts)
    for index, block, logits in lens_module.lens_logits(half, states, range(4)):
        normed = half.ln_final(states[None, block, index].bfloat16())[0].double()
        exact = normed @ half.W_U.double() + half.b_U.double()
        assert torch.allclose(logits.double(), exact, atol=1e-4)


def test_blocks_change_no_number(model, monkeypatch):
    whole = logit_lens(model, READOUTS)
    monkeypatch.setattr(lens_module, "_BLOCK", model.cfg.d_vocab)
    assert torch.allclose(whole.log_prob, logit_lens(model, READOUTS).log_prob, atol=1e-6)


def test_readouts_without_usable_tokens_are_dropped_and_counted(model):
    shared = Readout(Prompt("the"), {"en": ("dog",), "es": ("dog",)})
    lens = logit_lens(model, [shared, *READOUTS])
    assert lens.kept == (1, 2, 3) and len(lens.log_prob) == 3
    assert lens.dropped["shared token"] == lens.manifest["dropped"]["shared token"] == 1
    assert lens.manifest["n_readouts"] == 4


def test_words_scored_by_their_first_token_are_marked(model):
    readout = Readout(Prompt("the"), {"en": ("dog",), "es": ("zzz",)})
    assert logit_lens(model, [readout], whole_words=False).first_token_only.tolist() == [
        [False, True]
    ]


def result(log_prob: list[list[list[float]]]) -> LensResult:
    array = torch.tensor(log_prob)
    readouts, layers, _ = array.shape
    return LensResult(
        n_layers=layers - 1,
        layers=tuple(range(layers)),
        groups=("surface", "hub"),
        kept=tuple(range(readouts)),
        dropped={},
        log_prob=array,
        rank=torch.full(array.shape, 10),
        first_token_only=torch.zeros(readouts, 2, dtype=torch.bool),
        n_tokens=torch.ones(readouts, 2, dtype=torch.long),
        manifest={},
    )


def test_summaries_that_can_be_checked_by_eye():
    half, quarter = math.log(0.5), math.log(0.25)
    lens = result([[[half, quarter], [quarter, half]], [[half, half], [quarter, half]]])
    assert lens.mean_probability("hub").value.tolist() == pytest.approx([0.375, 0.5])
    assert lens.share("hub", "surface").value.tolist() == [0.0, 1.0]
    assert lens.share("surface", "hub").value.tolist() == [0.5, 0.0]
    assert lens.share("hub", "surface").low.tolist() == pytest.approx([0, 0.342], abs=1e-3)
    assert lens.mean_rank("hub").value.tolist() == pytest.approx([10.0, 10.0])
    mean = lens.mean_probability("hub")
    assert (mean.low <= mean.value).all() and (mean.value <= mean.high).all()


def test_frame_holds_every_summary_with_its_interval():
    lens = result([[[-1.0, -2.0]] * 3] * 4)
    frame = lens.to_frame()
    assert list(frame.columns) == [
        "measure", "layer", "group", "against", "value", "low", "high", "n"
    ]  # fmt: skip
    assert len(frame) == 3 * (2 + 2 + 2) and set(frame["n"]) == {4}
    row = frame.query("measure == 'share' and group == 'surface' and layer == 2").iloc[0]
    assert (row["against"], row["value"]) == ("hub", 1.0)
    assert (row["low"], row["high"]) == (pytest.approx(0.5101, abs=1e-4), 1.0)


def test_figures_show_one_measure():
    lens = result([[[-1.0, -2.0]] * 3] * 4)
    assert [t.name for t in lens.figure().data if t.fill is None] == ["surface", "hub"]
    assert [t.name for t in lens.figure("share", group="hub").data if t.fill is None] == [
        "hub &gt; surface"
    ]


def test_results_survive_a_save(model, tmp_path):
    lens = logit_lens(
        model,
        READOUTS,
        layers=[0, 2],
        resampling=Resampling(resamples=50, seed=3),
    )
    again = LensResult.load(lens.save(tmp_path / "lens"))
    assert again.to_frame().equals(lens.to_frame())
    assert again.kept == lens.kept and again.dropped == lens.dropped
    top = top_tokens(model, ["the dog"], k=2)
    assert TopTokens.load(top.save(tmp_path / "top")).to_frame().equals(top.to_frame())


def test_top_tokens_are_the_softmaxs_largest(model):
    top = top_tokens(model, ["The dog barks", Prompt("El perro", position=0)], k=4, layers=[3])
    with torch.no_grad():
        p = model(model.to_tokens("The dog barks"))[0, -1].softmax(dim=-1)
    order = p.argsort(descending=True)[:4]
    assert top.tokens[0, 0].tolist() == order.tolist()
    assert top.log_prob[0, 0].exp().tolist() == pytest.approx(p[order].tolist(), abs=1e-5)
    frame = top.to_frame()
    assert frame["rank"].tolist() == [1, 2, 3, 4] * 2
    assert frame["text"][0] == top.texts[str(frame["token"][0])]


NARROW = Lens.of(lambda layer, residual: residual[:, :2], name="narrow")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"lens": "logits"},
            "got the lens 'logits'; expected .*'raw', 'paper'. Did you mean 'logit'",
        ),
        ({"lens": NARROW}, "shape .* from narrow at layer 0"),
        ({"layers": [4]}, "got layer 4"),
        ({"readouts": []}, "got 0 read-outs"),
    ],
)
def test_bad_input(model, change, message):
    with pytest.raises(SemanticHubError, match=message):
        logit_lens(model, **{"readouts": READOUTS, **change})


@pytest.mark.parametrize("read", [lambda m, **o: logit_lens(m, READOUTS, **o),
                                  lambda m, **o: top_tokens(m, ["the"], **o)])  # fmt: skip
def test_an_unknown_lens_is_refused_before_the_forward_pass(model, monkeypatch, read):
    def forward(*args, **kwargs):
        raise AssertionError("a forward pass")

    monkeypatch.setattr(model, "forward", forward)
    with pytest.raises(
        SemanticHubError, match="the lens 'layer'; expected one of 'logit', 'raw', 'paper'"
    ):
        read(model, lens="layer")


def test_top_tokens_needs_a_k_in_range(model):
    with pytest.raises(SemanticHubError, match="k=0; expected 1 to 300"):
        top_tokens(model, ["the"], k=0)


def test_unknown_groups_are_named():
    with pytest.raises(SemanticHubError, match="group 'hbu'; expected one of 'surface', 'hub'"):
        result([[[-1.0, -2.0]]]).share("hbu", "surface")


def test_an_encoder_has_no_lens(bert_folder):
    encoder = models.load_model(bert_folder, device="cpu")
    with pytest.raises(SemanticHubError, match=r"logit_lens: .* does not predict next tokens"):
        logit_lens(encoder, READOUTS)


def test_a_model_without_tokenizer_has_no_words(model, monkeypatch):
    monkeypatch.setattr(model, "tokenizer", None)
    with pytest.raises(SemanticHubError, match="without a tokenizer"):
        logit_lens(model, READOUTS)
