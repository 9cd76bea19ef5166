"""All spokes at once: the concepts that their forms have in common, compared with each other."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from semantic_hub.alignment.between_forms import LabelledItems, SpokeSimilarity, spoke_similarity
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.models.protocol import HookedModel


def concept_items(spokes: Sequence[Spoke]) -> LabelledItems:
    """Form to English word to prompt, from the ``concepts()`` of those spokes that have any.

    Example:
        >>> items = concept_items([sh.spokes.arithmetic.ArithmeticSpoke()])
        >>> list(items), items["digits"]["two"].text
        (['digits'], '2')
    """
    items: dict[str, Any] = {}
    for spoke in spokes:
        items |= spoke.concepts()
    return items


def across_spokes(
    model: HookedModel, spokes: Sequence[Spoke], **options: Any
) -> SpokeSimilarity | None:
    """Every form of every spoke against every other, on the concepts that both say.

    The forms are a language's words, digits, pictures, clips. A form is compared where it is
    *named*, not asked about: at the last token of a word, the last patch or frame.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        spokes: Some of them with ``concepts()``.
        options: Of `semantic_hub.alignment.between_forms.spoke_similarity`.

    Returns:
        None where no two forms have two concepts in common.

    Raises:
        SemanticHubError: As `spoke_similarity`.

    Example:
        >>> spokes = [sh.spokes.arithmetic.ArithmeticSpoke(), sh.spokes.language.LanguageSpoke()]
        >>> across = across_spokes(model, spokes, resampling=sh.Resampling(resamples=20))
        >>> across.spokes[:2], int(across.shared[0, 1])
        (('digits', 'en'), 21)
    """
    items = concept_items(spokes)
    said = [labels.keys() for labels in items.values()]
    if not any(len(a & b) > 1 for a, b in combinations(said, 2)):
        return None
    return spoke_similarity(model, items, **options)
