"""Pictures with the word that each of their patches says, for the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.spelled_out import at_middle_layer
from semantic_hub.spokes.vision.inputs import Shown, Wording

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings


def patch_prompts(shown: Shown, wording: Wording) -> tuple[Prompt, ...]:
    """A prompt for each patch of a picture, row by row, that is read there."""
    return tuple(shown.at(patch, wording) for patch in range(shown.n_patches))


def first_of_each(sets: Mapping[str, Sequence[Shown]]) -> Mapping[str, Shown]:
    """The picture of each kind that is spelled out: the first, whatever it shows."""
    return {f"each patch, {kind}": shown[0] for kind, shown in sets.items() if shown}


def patch_words(spelled: Mapping[str, Shown], found: "Findings") -> Mapping[str, "go.Figure"]:
    """Each picture with the top token of its patches at the middle layer.

    Args:
        spelled: Pictures, by the names that their patches have in the findings.
        found: What was found.
    """
    from semantic_hub.spokes.vision.merge__image_plots import picture_words

    return {
        title: picture_words(shown.picture.pixels, top, layer, shown.grid, title=title)
        for name, shown, layer, top in at_middle_layer(spelled, found)
        for title in [f"{name}: {shown.picture.caption}"]
    }
