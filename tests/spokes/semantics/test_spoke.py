"""The semantics spoke: which pairs, which read-outs, and all of it on a tiny model of real layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import BACKENDS, BASE, randomise
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.lenses.label_matrix import LabelMatrix
from semantic_hub.prompts.prompt import NEXT
from semantic_hub.prompts.words import CROSSES, SPLIT, candidate_tokens
from semantic_hub.spokes.semantics.cogs import Example, read_cogs
from semantic_hub.spokes.semantics.interventions import transitive_events
from semantic_hub.spokes.semantics.logical_forms import LogicalForm
from semantic_hub.spokes.semantics.reading import readouts, role_readouts
from semantic_hub.spokes.semantics.spoke import (
    SemanticsSpoke,
    examples,
    hard_negatives,
    pairs,
    with_two_names,
)
from semantic_hub.statistics.resampling import Resampling


def one(sentence: str, form: str) -> Example:
    return Example(sentence, LogicalForm.parse(form))


GIVEN = one(
    "Anna was given a rose by Bo .",
    "give . recipient ( x _ 2 , Anna ) AND give . theme ( x _ 2 , x _ 4 ) "
    "AND give . agent ( x _ 2 , Bo ) AND rose ( x _ 4 )",
)
SEEN = one("Al saw Bo .", "see . agent ( x _ 1 , Al ) AND see . theme ( x _ 1 , Bo )")
WANTED = one(
    "The dog saw that Al wanted to run .",
    "* dog ( x _ 1 ) ; see . agent ( x _ 2 , x _ 1 ) AND see . ccomp ( x _ 2 , x _ 5 ) "
    "AND want . agent ( x _ 5 , Al ) AND want . xcomp ( x _ 5 , x _ 7 ) AND run . agent ( x _ 7 , Al )",
)
BOTH = one(
    "A dog saw Al .", "dog ( x _ 1 ) AND see . agent ( x _ 2 , Al ) AND see . theme ( x _ 2 , Al )"
)
TWICE = one("Al saw Al .", "see . agent ( x _ 1 , Al ) AND see . theme ( x _ 1 , Al )")
ALL = [GIVEN, SEEN, WANTED, BOTH, TWICE]


def test_pairs_are_labelled_with_their_meaning() -> None:
    passive = one(
        "Bo was seen by Al .", "see . theme ( x _ 2 , Bo ) AND see . agent ( x _ 2 , Al )"
    )
    found = pairs([SEEN, passive, GIVEN])
    assert [x.text for x in found.x] == ["Al saw Bo .", "Bo was seen by Al .", GIVEN.sentence]
    assert found.y[2].text == str(GIVEN.form)
    assert found.labels[0] == found.labels[1] != found.labels[2]


def test_names_change_places_and_nothing_else() -> None:
    chosen = with_two_names(ALL)
    assert chosen == (GIVEN, SEEN)
    for shuffle in (False, True):
        right, wrong = (make(chosen, shuffle=shuffle, seed=3) for make in (pairs, hard_negatives))
        assert wrong.x == right.x
        for example, good, bad in zip(chosen, right.y, wrong.y, strict=True):
            first, second = example.names
            swapped = [{first: second, second: first}.get(w, w) for w in (good.text or "").split()]
            assert swapped == (bad.text or "").split() != (good.text or "").split()
    assert pairs(chosen, shuffle=True, seed=3).y != pairs(chosen).y


def test_hard_negatives_need_two_names() -> None:
    with pytest.raises(SemanticHubError, match=r"'The dog saw that.*with 1 proper names"):
        hard_negatives(ALL)


def test_readouts_by_hand() -> None:
    found = readouts(ALL)
    assert [(r.prompt.text, r.following, r.next_word) for r in found.readouts] == [
        ("Anna was given a rose by", " Bo .", " Bo"),
        ("Al saw", " Bo .", " Bo"),
        ("The dog saw that", " Al wanted to run .", " Al"),
    ]
    assert found.roles == ("agent", "theme", "agent")
    assert found.dropped == {
        "name at the start": 2,
        "name occurs twice": 1,
        "name with several roles": 1,
    }
    assert [r.candidates for r in found.readouts] == [
        {"surface": (NEXT,), "hub": ("agent",), "control": ("theme",), "unrelated": ("recipient",)},
        {"surface": (NEXT,), "hub": ("theme",), "control": ("recipient",), "unrelated": ("agent",)},
        {"surface": (NEXT,), "hub": ("agent",), "control": ("theme",), "unrelated": ("recipient",)},
    ]
    assert role_readouts(ALL).readouts[1].candidates == {
        "agent": ("agent",),
        "theme": ("theme",),
        "recipient": ("recipient",),
    }
    assert len(found.evenly_spaced(2)) == 2 and found.evenly_spaced(9) == found


def test_one_role_is_not_enough() -> None:
    with pytest.raises(SemanticHubError, match="at least two, to distinguish them"):
        readouts([WANTED])


def test_spoke_needs_two_names() -> None:
    with pytest.raises(SemanticHubError, match="1 examples with exactly two names"):
        SemanticsSpoke([SEEN, WANTED])


def test_examples_differ_and_are_many() -> None:
    found = examples(200, seed=1)
    assert len({e.sentence for e in found}) == 200
    assert {role for e in found for name in e.names for role in e.roles(name)} == {
        "agent",
        "theme",
        "recipient",
    }


Train = Callable[[list[str], int], Path]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """The folder of a tiny random Llama with a byte-level BPE trained on some texts."""

    def make(texts: list[str], size: int) -> Path:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=["<s>", "</s>", "<pad>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
        folder = tmp_path_factory.mktemp("model")
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
        ).save_pretrained(folder)
        sizes = {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 256}
        torch.manual_seed(0)
        config = transformers.LlamaConfig(**{**BASE, **sizes}, num_key_value_heads=2)
        randomise(transformers.AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="module", params=BACKENDS)
def small(request: pytest.FixtureRequest, train: Train) -> Any:
    texts = [text for e in examples(150) for text in (e.sentence, str(e.form))]
    texts += [f"{m.active.sentence} {m.active.question('agent')}" for m in transitive_events(50)]
    return sh.load_model(train(texts, 420), device="cpu", backend=request.param)


def test_every_experiment_runs(small: Any) -> None:
    spoke = SemanticsSpoke(examples(40), events=transitive_events(3), at_most=8)
    assert isinstance(spoke, Spoke)
    assert spoke.pairs().keys() == spoke.hard_negatives().keys()
    findings = sh.run(small, spoke, resampling=Resampling(resamples=20), permutations=20)
    for result in findings.similarity.values():
        assert "hard negatives" in result.controls
    lens = findings.lens["before names"]
    assert lens.groups == ("surface", "hub", "control", "unrelated")
    assert len(lens.kept) + sum(lens.dropped.values()) == len(spoke.name_readouts) == 8
    assert list(findings.steering) == ["who did it", "who it was done to"]
    for result in findings.steering.values():
        assert result.directions == ("states", "words", "placebo")
        assert 0.0 in result.strengths
    assert list(findings.patching) == ["passive -> active", "active -> passive"]


def test_matrix_of_either_kind_of_readouts_is_the_same(small: Any) -> None:
    items = examples(60)
    matrices = [
        LabelMatrix.from_lens(
            sh.logit_lens(small, reads.readouts, resampling=Resampling(resamples=20)),
            reads.readouts,
            reads.roles,
        )
        for reads in (readouts(items), role_readouts(items))
    ]
    assert matrices[0].labels == matrices[1].labels
    for one_way, other in ((m.value, m.low) for m in matrices):
        assert one_way.shape == other.shape
    torch.testing.assert_close(matrices[0].probability, matrices[1].probability)
    torch.testing.assert_close(matrices[0].low, matrices[1].low)


def test_readouts_kept_of_dev_equal_an_independent_count(test_data: Path, train: Train) -> None:
    """Independent: in the offsets of the whole sentence's tokens, one token is space and name."""
    path = test_data / "cogs" / "dev.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    folder = train([text for row in rows for text in row[:2]], 700)
    model = sh.load_model(folder, device="cpu", backend="bridge")
    kept = split = 0
    for sentence, *_ in rows:
        offsets = model.tokenizer(sentence, return_offsets_mapping=True)["offset_mapping"]
        place = 0
        for number, word in enumerate(sentence.split(" ")):
            if number and word[0].isupper() and word != "TV":
                whole = (place - 1, place + len(word)) in offsets
                kept, split = kept + whole, split + (not whole)
            place += len(word) + 1
    reads = role_readouts(read_cogs(path))
    found = candidate_tokens(model, reads.readouts)
    starts = sum(s.split()[0] not in ("A", "The", "TV") for s, *_ in rows)
    assert reads.dropped == {
        "name at the start": starts,
        "name occurs twice": 0,
        "name with several roles": 0,
    }
    assert (len(found.kept), found.dropped[SPLIT], found.dropped[CROSSES]) == (kept, split, 0)
    assert kept > 100 and split > 100 and kept + split == len(reads)
