"""Evaluate a model trained on a `World`: ``python -m semantic_hub.zoo.training.evaluate MODEL``.

Prints the tables of the model card as Markdown: accuracy on facts and sums that the training text
had or held out, and similarity, lens and interventions on what it held out.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from semantic_hub.alignment.controls import RANDOM_TWIN
from semantic_hub.alignment.result import MeasureResult, SimilarityResult
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.experiment.verdict.lines import SpokeVerdict
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.models.layers import layer_name
from semantic_hub.models.loading import load_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.markdown import markdown_table
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import LANGUAGES, Voice
from semantic_hub.zoo.world.spokes import WorldLanguageSpoke, spokes_of, world_problems

Row = Sequence[str]
"""Cells of a row of a table."""

_ACCURACY = (
    "", "facts", "facts, held out", "sums", "sums, held out", "products", "products, held out",
)  # fmt: skip
_ACCURACY_NOTE = (
    "\nShare of questions whose answer the model says first, by the answer's first token; in "
    "brackets the\nquestions scored and dropped. What is held out was told in English alone.\n"
)
_VERDICT = (
    "spoke", "evidence", "verdict", "sets supported", "the set with the median margin", "layers",
    "margin", "strongest control", "p",
)  # fmt: skip
_VERDICT_NOTE = "\nThe rule is in docs/measures.md.\n"
_SIMILARITY = (
    "set", "n", "embedding", "peak layer", "AUC", "random twin", "margin",
    "strongest control", "last layer", "Eq. 1 at the peak",
)  # fmt: skip
_LENS = ("set", "n", "dropped", "likelier")
_PATCHING = ("set", "n", "patched", "top token")
_STEERING = ("set", "n", "direction", "strength")
_ANSWERS = ("set", "n", "direction", "strength")
_TEXTS = ("set", "direction", "layer", "sentiment", "relevance", "its language", "perplexity")
_COMPARED = (
    ("hub", "surface"), ("control", "surface"), ("hub", "control"), ("hub", "unrelated")
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Accuracy of a model's first answer to questions.

    Attributes:
        accuracy: Share of correct answers to the scored questions, 0 to 1.
        n: Number of scored questions.
        dropped: Number of questions whose answer has no token in this tokenizer.
    """

    accuracy: float
    n: int
    dropped: int

    def __str__(self) -> str:
        return f"{self.accuracy:.2f} ({self.n}, {self.dropped})"


def questions(world: World, notation: str, kind: str, *, held_out: bool) -> list[Readout]:
    """Make questions about a world as read-outs whose only candidate is the answer, ``surface``.

    Args:
        world: The world.
        notation: Language of the world, or ``"digits"``.
        kind: ``"facts"`` (none in digits), ``"+"`` or ``"*"``.
        held_out: Whether to ask for what only English text had, or for the rest.

    Example:
        >>> asked = questions(World(seed=0), "en", "facts", held_out=True)
        >>> list(asked[0].candidates)
        ['surface']
    """
    if kind != "facts":
        chosen = (p for p in world_problems(world, held_out=held_out) if p.operator == kind)
        return [_question(p.question(notation), number_word(p.right, notation)) for p in chosen]
    if notation == DIGITS:
        return []
    voice, facts = Voice(notation), WorldLanguageSpoke(world, held_out=held_out).facts
    return [_question(fact.question(voice), fact.value.forms[notation]) for fact in facts]


def score(model: HookedModel, asked: Sequence[Readout]) -> Score:
    """Top-1 accuracy: an answer is correct if its first token is the model's likeliest next token.

    Raises:
        SemanticHubError: No questions, or as for `semantic_hub.logit_lens`.
    """
    last = logit_lens(model, asked, layers=[model.cfg.n_layers], whole_words=False)
    hits = last.rank[:, 0, last.groups.index("surface")] == 1
    return Score(float(hits.double().mean()), len(last.kept), sum(last.dropped.values()))


def tables(
    model: HookedModel, *, resampling: Resampling = Resampling(), permutations: int = 1000
) -> Iterator[str]:
    """Tables of accuracy, and of similarity, lens and interventions of each spoke, as Markdown.

    Args:
        model: Model from `semantic_hub.zoo.training.train`.
        resampling: Resamples, coverage and seed of the intervals.
        permutations: Number of pairings in the permutation tests.

    Raises:
        SemanticHubError: The model's tokenizer names no world.
    """
    spokes = spokes_of(model)
    if spokes is None:
        raise SemanticHubError(
            "evaluate",
            got=f"{model.cfg.model_name}, whose tokenizer names no world",
            expected="a model that semantic_hub.zoo.training.train made",
            fix="Use semantic_hub.reporting.document for other models.",
        )
    yield markdown_table(_ACCURACY, _accuracy_rows(model, spokes.language.world)) + _ACCURACY_NOTE
    findings = [
        run(model, spoke, resampling=resampling, permutations=permutations) for spoke in spokes
    ]
    yield markdown_table(_VERDICT, map(_verdict_row, verdicts(findings).lines)) + _VERDICT_NOTE
    for found in findings:
        yield f"### {found.spoke.capitalize()}\n"
        rows = (_similarity_row(*item) for item in found.similarity.items())
        yield markdown_table(_SIMILARITY, rows)
        layers = list(map(layer_name, range(model.cfg.n_layers + 1)))
        rows = (row for item in found.lens.items() for row in _lens_rows(*item))
        if found.lens:
            yield markdown_table((*_LENS, *layers), rows)
        rows = (row for item in found.patching.items() for row in _patching_rows(*item))
        if found.patching:
            yield markdown_table((*_PATCHING, *layers), rows)
        rows = (row for item in found.steering.items() for row in _steering_rows(*item))
        if found.steering:
            yield markdown_table((*_STEERING, *layers), rows)
        rows = (row for item in found.answer_probability.items() for row in _answer_rows(*item))
        if found.answer_probability:
            yield markdown_table((*_ANSWERS, *layers), rows)
        if found.text_steering:
            rows = (row for item in found.text_steering.items() for row in _text_rows(*item))
            yield markdown_table(_TEXTS, rows)


def _question(text: str, answer: str) -> Readout:
    """Question as a read-out."""
    return Readout(Prompt(text), {"surface": (answer,)})


def _accuracy_rows(model: HookedModel, world: World) -> Iterator[Row]:
    """Accuracy in each notation, on facts, sums and products."""
    for notation in (*LANGUAGES, DIGITS):
        sets = (
            questions(world, notation, kind, held_out=held_out)
            for kind in ("facts", "+", "*")
            for held_out in (False, True)
        )
        yield notation, *(str(score(model, asked)) if asked else "–" for asked in sets)


def _verdict_row(line: SpokeVerdict) -> Row:
    """Verdict on one kind of evidence, with the set with the median margin."""
    counts = f"{line.n_supported} of {line.n_sets}"
    shown = line.median_set
    if shown is None:
        return line.spoke, line.evidence, line.verdict, counts, "–", "–", "–", "–", "–"
    margin = f"{shown.margin:.2f} [{shown.low:.2f}, {shown.high:.2f}]"
    labels = line.spoke, line.evidence, line.verdict, counts, shown.name, shown.layer_range
    return *labels, margin, shown.strongest, f"{shown.p:.3f}"


def _similarity_row(name: str, result: SimilarityResult) -> Row:
    """AUC at the embedding, at its peak with the controls, and at the last layer; and Eq. 1."""
    [peak] = result.best_cell()
    return (
        name,
        f"{result.n_pairs}",
        f"{result.auc.value[0]:.2f}",
        f"{result.layers[peak]}",
        _with_interval(result.auc, peak),
        _with_interval(result.controls[RANDOM_TWIN].auc, peak),
        f"{result.margin[peak]:.3f} [{result.margin_low[peak]:.3f}, "
        f"{result.margin_high[peak]:.3f}]",
        result.strongest[peak],
        f"{result.auc.value[-1]:.2f}",
        f"{result.similarity[peak]:.2f}",
    )


def _lens_rows(name: str, result: LensResult) -> Iterator[Row]:
    """Share of read-outs in which one group is likelier than another, layer by layer."""
    counts = f"{len(result.kept)}", f"{sum(result.dropped.values())}"
    known = [pair for pair in _COMPARED if set(pair) <= set(result.groups)]
    for group, against in known:
        shares = result.share(group, against).value.tolist()
        yield name, *counts, f"{group} > {against}", *(f"{share:.2f}" for share in shares)


def _patching_rows(name: str, result: PatchResult) -> Iterator[Row]:
    """Share of patch pairs whose top token is an answer, layer by layer, and the controls'."""
    first, *others = result.answers
    rows = [("source", first, result), *(("source", own, result) for own in others[1:])]
    rows += [(control, first, found) for control, found in result.controls.items()]
    for patched, answer, found in rows:
        shares = found.top1_share(answer).value[:, 0].tolist()
        yield name, f"{len(result.kept)}", patched, answer, *(f"{share:.2f}" for share in shares)


def _steering_rows(name: str, result: SteeringResult) -> Iterator[Row]:
    """Success rate of the steering, layer by layer."""
    n_prompts = f"{result.outcome.shape[-1]}"
    for direction in result.directions:
        success = result.share("success", direction).value.T.tolist()
        for strength, shares in list(zip(result.strengths, success, strict=True))[1:]:
            yield name, n_prompts, direction, f"{strength:g}", *(f"{s:.2f}" for s in shares)


def _answer_rows(name: str, result: AnswerProbability) -> Iterator[Row]:
    """Mean share of the first answer, layer by layer."""
    for direction in result.directions:
        means = result.mean(direction).value.T.tolist()
        for strength, shares in list(zip(result.strengths, means, strict=True))[1:]:
            labels = name, f"{result.p_first.shape[-1]}", direction, f"{strength:g}"
            yield *labels, *(f"{share:.2f}" for share in shares)


def _text_rows(name: str, result: TextSteeringResult) -> Iterator[Row]:
    """Change of each score from the unsteered texts, with the number of scored prompts."""
    frame = result.to_frame().query("measure == 'change' and strength != 0")
    for _, rows in frame.groupby(["direction", "layer"], sort=False):
        changes = (
            f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}] ({row['n']})"
            for row in rows.to_dict("records")
        )
        yield name, *map(str, rows[["direction", "layer"]].iloc[0]), *changes


def _with_interval(result: MeasureResult, layer: int) -> str:
    """Value at a layer with its interval."""
    return f"{result.value[layer]:.2f} [{result.low[layer]:.2f}, {result.high[layer]:.2f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate one model from the command line, by name or folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="hub-mini, or the folder of a model that zoo.train wrote")
    for table in tables(load_model(parser.parse_args(arguments).model)):
        print(table)


if __name__ == "__main__":
    main()
