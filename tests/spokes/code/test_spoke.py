"""The code spoke: its sets by hand, and every experiment on a tokenizer trained on real code."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import BACKENDS, randomise
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.prepare import resolve_outcome
from semantic_hub.interventions.spec import UnembeddingContrast
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.outcomes import RelativeOutcome
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.prompts.prompt import NEXT, Prompt, Readout, encode
from semantic_hub.prompts.words import CROSSES, NextToken, following_tokens
from semantic_hub.spokes.code.files import standard_library_functions
from semantic_hub.spokes.code.interventions import has_one_argument, steering
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.spoke import (
    CodeSpoke,
    argument_readouts,
    hard_negatives,
    list_readouts,
    pairs,
)
from semantic_hub.statistics.resampling import Resampling

N_CTX = 512
SEES = 'def sees(person, animal, place): pass\nsees("Anna", "dog", "garden")'
WORLD = [
    Program(SEES, "Anna sees the dog in the garden.", "sees", "a"),
    Program('["dog", "cat", "horse"]', "dog, cat, and horse.", "pets", "b"),
    Program("for i in range(2, 6): print(i)", "start two, end six.", "two", "a"),
    Program("for i in range(6): print(i)", "end six.", "six", "a"),
]


def test_the_spoke_has_all_its_sets() -> None:
    spoke = CodeSpoke(WORLD)
    assert isinstance(spoke, Spoke)
    assert list(spoke.pairs()) == list(spoke.hard_negatives()) == ["program, description"]
    assert {name: len(found) for name, found in spoke.readouts().items()} == {
        "list, behind a comma": 2,
        "call, before an argument": 3,
    }
    assert [prompt.text for prompt in spoke.interventions()["range("].prompts] == [
        "for i in range("
    ]


def test_a_spoke_leaves_out_what_its_programs_do_not_have() -> None:
    spoke = CodeSpoke([Program("print()")])
    assert not (
        spoke.pairs() or spoke.hard_negatives() or spoke.readouts() or spoke.interventions()
    )


def test_pairs_keep_the_first_of_each_text() -> None:
    twice = [*WORLD, Program("other", "end six."), Program("untold")]
    found = pairs(twice)
    assert [prompt.text for prompt in found.y] == [program.text for program in WORLD]
    assert found.x[3].text == WORLD[3].code
    assert len(pairs(twice, at_most=2)) == 2


def test_hard_negatives_are_of_the_same_source_where_there_are_others() -> None:
    found = hard_negatives(WORLD)
    assert found.x == pairs(WORLD).x
    sees, pets, two, six = (program.text for program in WORLD)
    assert [prompt.text for prompt in found.y] == [two, two, six, sees]
    assert all(x.text != y.text for x, y in zip(pairs(WORLD).y, found.y, strict=True))
    assert pets not in [prompt.text for prompt in found.y]


def test_list_readouts_hold_the_whole_program() -> None:
    first, second = list_readouts(WORLD)
    assert first == Readout(
        Prompt('["dog",'),
        {"surface": (NEXT,), "hub": ("and",), "control": ("or",), "unrelated": ("not",)},
        ' "cat", "horse"]',
    )
    assert second.prompt.text == '["dog", "cat",'
    assert len(list_readouts(WORLD, at_most=1)) == 1


def test_argument_readouts_have_another_parameters_name_as_control() -> None:
    found = argument_readouts(WORLD)
    assert [readout.candidates for readout in found] == [
        {"surface": (NEXT,), "hub": (name,), "control": (control,)}
        for name, control in (("person", "animal"), ("animal", "place"), ("place", "person"))
    ]
    assert found[0].prompt.text == f"{SEES.splitlines()[0]}\nsees("
    assert found[0].following == '"Anna", "dog", "garden")'
    assert argument_readouts([Program("len([1]), len([2])")]) == []


def test_steering_asks_each_prompt_once() -> None:
    programs = [Program("range(1); range(2)"), Program("range(3)"), Program("range = 1; range(3)")]
    found = steering(programs)
    assert [prompt.text for prompt in found.prompts] == ["range(", "range(1); range("]
    assert found.contrasts == {"start - end": UnembeddingContrast("start", "end")}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CodeSpoke([]), "CodeSpoke: got no programs"),
        (lambda: pairs([Program("x")]), "1 programs, none with a text"),
        (lambda: hard_negatives([Program("x", "Say.")]), "1 program with its own text"),
        (lambda: steering([Program("range(1, 2)")]), r"1 programs without range\(n\)"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        call()


@pytest.fixture(scope="module")
def programs() -> tuple[Program, ...]:
    """Real functions, and some that count."""
    modules = ("statistics", "fractions", "calendar", "difflib", "heapq")
    real = standard_library_functions(40, modules=modules, longest=400)
    return *real, *WORLD, Program("x = [((1)), 'a','b', (2, 3)]\nlen((1, 2))", "Fuse.", "f", "c")


@pytest.fixture(scope="module")
def code_folder(programs: tuple[Program, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of random weights, with byte-level BPE trained on the programs themselves."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = ["start end and or not (( ',' '] (1)) start end and or not"] * 20
    tokenizer.train_from_iterator([*(program.code for program in programs), *words], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, intermediate_size=48,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=N_CTX, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("code")
    randomise(transformers.AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=BACKENDS)
def code_model(request: pytest.FixtureRequest, code_folder: Path) -> Any:
    return sh.load_model(code_folder, device="cpu", backend=request.param)


def token_starts(model: Any, text: str) -> dict[int, int]:
    """Where each token of a text begins, by the tokenizer's own offsets."""
    found = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return dict(zip((a for a, _ in found["offset_mapping"]), found["input_ids"], strict=True))


def test_readouts_are_kept_exactly_where_a_token_begins(
    code_model: Any, programs: Sequence[Program]
) -> None:
    readouts = [*list_readouts(programs), *argument_readouts(programs)]
    texts = [readout.prompt.text or "" for readout in readouts]
    wholes = [text + readout.following for text, readout in zip(texts, readouts, strict=True)]
    found = following_tokens(code_model, readouts)
    starts = [
        token_starts(code_model, whole).get(len(text))
        for text, whole in zip(texts, wholes, strict=True)
    ]
    crossing = NextToken(problem=CROSSES)
    assert found == [crossing if token is None else NextToken(token) for token in starts]
    assert 0 < found.count(crossing) < len(found)


def test_similarity_and_lens_run_and_count_every_readout(
    code_model: Any, programs: Sequence[Program]
) -> None:
    spoke = CodeSpoke(programs, at_most=80)
    alike = sh.similarity(
        code_model,
        spoke.pairs()["program, description"],
        permutations=10,
        resampling=Resampling(resamples=10),
    )
    assert alike.similarity.isfinite().all()
    for name, readouts in spoke.readouts().items():
        lens = sh.logit_lens(code_model, readouts, resampling=Resampling(resamples=10))
        assert len(lens.kept) + sum(lens.dropped.values()) == len(readouts), name
        assert lens.log_prob.isfinite().all()
        assert lens.dropped[CROSSES] > 0
        surface = lens.groups.index("surface")
        assert not lens.first_token_only[:, surface].any()


def test_range_asks_only_prompts_that_the_model_completes_with_one_argument(
    code_model: Any, programs: Sequence[Program]
) -> None:
    experiment = CodeSpoke(programs, at_most=8).interventions()["range("]
    texts = Continuations(
        code_model, encode(code_model, experiment.prompts), experiment.max_new_tokens
    ).unsteered()
    usable = sum(has_one_argument(text) for text in texts)
    assert 0 < usable < len(texts)
    told, _, dropped = resolve_outcome(code_model, experiment)
    assert len(told.prompts) == usable
    assert dropped == {"own continuation is not one argument": len(texts) - usable}


def test_range_runs_on_every_prompt_that_is_usable(
    code_model: Any, programs: Sequence[Program]
) -> None:
    experiment = CodeSpoke(programs, at_most=8).interventions()["range("]
    outcome = experiment.outcome
    assert isinstance(outcome, RelativeOutcome)
    everything = RelativeOutcome(outcome.compare, lambda own: True, outcome.drop_reason)
    found = intervene(
        code_model,
        replace(experiment, outcome=everything, strengths=(1.0,), max_new_tokens=2),
        resampling=Resampling(resamples=10),
    )
    assert isinstance(found, SteeringResult)
    assert found.outcome.shape == (2, 3, 2, len(experiment.prompts))
    assert found.directions == ("start - end", "placebo")
