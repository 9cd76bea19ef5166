"""Figures of a spoke's spelled-out prompts: their top tokens at the middle layer."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from semantic_hub.models.layers import layer_name

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings

Item = TypeVar("Item")


def middle_layer_figures(
    items: Mapping[str, Item],
    findings: "Findings",
    draw: Callable[[str, Item, int, "pd.DataFrame"], tuple[str, "go.Figure"]],
) -> Mapping[str, "go.Figure"]:
    """Draw each item with the top tokens of its prompts at the middle layer.

    Args:
        items: Items by the names of their spelled-out prompts; those that the findings lack are
            left out.
        findings: Results of the spoke.
        draw: From a title, an item, the layer, and a frame with the top token of each prompt in
            order, to the final title and the figure.
    """
    figures: dict[str, go.Figure] = {}
    for name, item in items.items():
        if name in findings.spelled_out:
            tokens = findings.spelled_out[name]
            layer = tokens.layers[len(tokens.layers) // 2]
            frame = tokens.to_frame().query("layer == @layer and rank == 1").sort_values("prompt")
            title, figure = draw(
                f"Top token of {name}, layer {layer_name(layer)}", item, layer, frame
            )
            figures[title] = figure
    return figures
