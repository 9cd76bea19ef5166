"""Similarity across spokes, on the concepts that their forms have in common."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

from semantic_hub.activations.recorded import holds
from semantic_hub.alignment.between_forms import FormSimilarity, LabeledItems, compare_forms
from semantic_hub.errors import as_list, check_kinds, check_names
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike
from semantic_hub.statistics.resampling import Resampling


def concept_items(spokes: Spoke | Sequence[Spoke]) -> LabeledItems:
    """Collect the ``concepts()`` of all spokes: form to English word to prompt.

    Raises:
        SemanticHubError: A form or a word that is no text, is empty or has control characters.

    Example:
        >>> items = concept_items([sh.spokes.arithmetic.ArithmeticSpoke()])
        >>> list(items), items["digits"]["two"].text
        (['digits'], '2')
    """
    items: dict[str, Mapping[str, PromptLike]] = {}
    for spoke in as_list("compare_concepts", "spokes", spokes, Spoke):
        concepts = spoke.concepts()
        check_kinds(f"{type(spoke).__name__}.concepts()", concepts=(concepts, Mapping))
        check_names("concept_items", f"form of {spoke.name}.concepts()", concepts)
        for form, prompts in concepts.items():
            check_kinds(f"{type(spoke).__name__}.concepts()", **{form: (prompts, Mapping)})
            check_names("concept_items", f"concept of {spoke.name}, {form}", prompts)
        items |= concepts
    return items


def compare_concepts(
    model: HookedModel,
    spokes: Spoke | Sequence[Spoke],
    *,
    layers: int | Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> FormSimilarity | None:
    """Similarity of every two forms (such as words and digits) on the concepts that both have.

    Forms are a language's words, digits, pictures, clips. The state is that of the item itself and
    not of a question about it: at the last token of a word, the last patch or frame.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``, or `States`: of the concepts that
            were recorded.
        spokes: Those without ``concepts()`` take no part.
        layers: Which layers, 0..n_layers; None for all.
        batch_size: Prompts in a forward pass, or ``"auto"``.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        None if no two forms have two concepts in common.

    Raises:
        SemanticHubError: As `compare_forms`.

    Example:
        >>> spokes = [sh.spokes.arithmetic.ArithmeticSpoke(), sh.spokes.language.LanguageSpoke()]
        >>> across = compare_concepts(model, spokes, resampling=sh.Resampling(resamples=20))
        >>> across.forms[:2], int(across.shared[0, 1])
        (('digits', 'en'), 21)
    """
    items = {
        form: {word: prompt for word, prompt in prompts.items() if holds(model, [prompt])}
        for form, prompts in concept_items(spokes).items()
    }
    if not any(len(a.keys() & b.keys()) > 1 for a, b in combinations(items.values(), 2)):
        return None
    return compare_forms(model, items, layers=layers, batch_size=batch_size, resampling=resampling)
