"""What a spoke's spelled-out prompts say at the middle layer, for its figures."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from semantic_hub.models.layers import layer_name

if TYPE_CHECKING:
    import pandas as pd

    from semantic_hub.experiment.findings import Findings

Item = TypeVar("Item")


def at_middle_layer(
    spelled: Mapping[str, Item], found: "Findings"
) -> Iterator[tuple[str, Item, int, "pd.DataFrame"]]:
    """A title, the item, the layer, and the top tokens there in the order of the prompts.

    Args:
        spelled: Items, by the names that their prompts have in the findings; those that the
            findings lack are left out.
        found: What was found.
    """
    for name, item in spelled.items():
        if name in found.spelled_out:
            tokens = found.spelled_out[name]
            layer = tokens.layers[len(tokens.layers) // 2]
            top = tokens.to_frame().query("layer == @layer and rank == 1").sort_values("prompt")
            yield f"Top token of {name}, layer {layer_name(layer)}", item, layer, top
