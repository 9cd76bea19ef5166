"""What weakens the numbers of a run: everything a reader should know before trusting them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from semantic_hub.alignment.controls import NO_SHARED_SURFACE, ROMANIZED
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.result import Verdicts
from semantic_hub.models.provenance import effects
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import HUB, SURFACE

FEW = 30
"""Items below which a set is called small."""

MOST_DROPPED = 0.2
"""Share of a set's items above which the dropped ones are mentioned."""

MORE_SPLIT = 0.1
"""Share of read-outs by which every control is split oftener than the hub's words, to be named."""

_FULL_PRECISION = ("float32", "float64")


class Caution(NamedTuple):
    """A warning to the reader, and the sets that it concerns."""

    message: str
    sets: tuple[str, ...] = ()
    __repr__ = short_repr


def cautions(
    findings: Sequence[Findings], model: Mapping[str, Any], verdicts: Verdicts
) -> list[Caution]:
    """List everything about a run that weakens what it shows.

    Processed weights, a precision below float32, what could not be measured, null controls that
    could not be made, sets without a verdict, sets of fewer than `FEW` items, sets of which more
    than the share `MOST_DROPPED` could not be scored, words scored by their first token alone, sets
    whose controls are all split oftener than the hub's words (`MORE_SPLIT`), and the notes of the
    verdicts.

    Args:
        findings: Of each spoke.
        model: The manifest's description of the model.
        verdicts: The verdicts on the findings.

    Returns:
        The cautions that apply, none if none does.

    Example:
        >>> from semantic_hub.experiment.verdict.judging import verdicts
        >>> pairs = sh.spokes.language.pairs("en", "es")[:5]
        >>> found = sh.Findings("mine", {"similarity": {"few": sh.similarity(model, pairs)}})
        >>> about = {"dtype": "float32", "processed": []}
        >>> [caution.sets for caution in cautions([found], about, verdicts([found]))]
        [('mine, similarity: few (no null controls)',)]
    """
    sets_by_message = {
        "Not measured on this model:": _left_out(findings),
        "Without these null controls, so the strongest control may be a weaker one:": (
            _missing_controls(findings)
        ),
        "Sets without a verdict:": [
            f"{one.spoke}, {one.evidence}: {one.name} ({one.reason})"
            for one in verdicts.sets
            if one.reason
        ],
        f"Sets of fewer than {FEW} items, whose intervals are rough:": [
            f"{one.spoke}, {one.evidence}: {one.name} ({one.n})"
            for one in verdicts.sets
            if not one.reason and one.n < FEW
        ],
        f"More than {MOST_DROPPED:.0%} of the items dropped; what is left may be another kind of "
        "item than the whole set:": _dropped(findings),
        "Words scored by their first token alone, which other words may begin with too:": (
            _first_tokens(findings)
        ),
        "No control is split by the tokenizer as seldom as the hub's words are, so that the hub is "
        "supported too easily:": _controls_more_split(findings),
    }
    about_sets = [Caution(message, tuple(sets)) for message, sets in sets_by_message.items()]
    about_all = [Caution(message) for message in (*_about_model(model), *verdicts.notes)]
    return about_all + [caution for caution in about_sets if caution.sets]


def _about_model(model: Mapping[str, Any]) -> Iterator[str]:
    changes = list(model["processed"])
    if changes:
        yield f"The weights were processed on loading ({', '.join(changes)}): {effects(changes)}."
    if model["dtype"] not in _FULL_PRECISION:
        yield f"The weights are {model['dtype']}: small differences may be rounding."


def _left_out(findings: Sequence[Findings]) -> list[str]:
    return [
        f"{found.spoke}, {name}: {reason}"
        for found in findings
        for name, reason in found.left_out.items()
    ]


def _missing_controls(findings: Sequence[Findings]) -> list[str]:
    """Each control with its reason, and the sets that lack it."""
    lacking: dict[str, list[str]] = {}
    for found in findings:
        for name, result in found.similarity.items():
            for control, reason in result.left_out.items():
                if control not in (NO_SHARED_SURFACE, ROMANIZED):
                    lacking.setdefault(f"{control} ({reason})", []).append(f"{found.spoke}, {name}")
    return [f"{control}: {'; '.join(sets)}" for control, sets in lacking.items()]


def _dropped(findings: Sequence[Findings]) -> Iterator[str]:
    for found in findings:
        for kind, sets in found.results.items():
            for name, result in sets.items():
                kept, dropped = result.counts() or (0, {})
                lost = sum(dropped.values())
                if lost > MOST_DROPPED * (kept + lost):
                    reasons = ", ".join(f"{n} {reason}" for reason, n in dropped.items() if n)
                    yield f"{found.spoke}, {kind}: {name}: {lost} of {kept + lost} ({reasons})"


def _first_tokens(findings: Sequence[Findings]) -> Iterator[str]:
    for found in findings:
        for name, lens in found.lens.items():
            counts = lens.first_token_only.sum(dim=0).tolist()
            groups = [f"{group} in {n}" for group, n in zip(lens.groups, counts, strict=True) if n]
            if groups:
                yield f"{found.spoke}, lens: {name} ({', '.join(groups)} of {len(lens.kept)})"


def _controls_more_split(findings: Sequence[Findings]) -> Iterator[str]:
    for found in findings:
        for name, lens in found.lens.items():
            split = dict(zip(lens.groups, (lens.n_tokens > 1).double().mean(dim=0), strict=True))
            hub, _ = split.pop(HUB, None), split.pop(SURFACE, None)
            if hub is not None and split and min(split.values()) > hub + MORE_SPLIT:
                shares = ", ".join(f"{group} {share:.0%}" for group, share in split.items())
                yield f"{found.spoke}, lens: {name} ({HUB} {hub:.0%}, {shares})"
