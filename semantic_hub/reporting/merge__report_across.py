"""What the report shows of all spokes at once."""

from semantic_hub.alignment.between_forms import SpokeSimilarity
from semantic_hub.reporting.figures import PageFigure, page_figures, titled


def across_figures(found: SpokeSimilarity | None) -> list[PageFigure]:
    """The heat map of forms with its slider over layers.

    Args:
        found: What was found across spokes; None for nothing.
    """
    if found is None:
        return []
    return page_figures([titled(found.figure(), "Forms against forms, layer by layer")])
