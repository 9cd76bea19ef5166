"""`VisionSpoke`: named sets of everything that the vision data offer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Patching, Steering
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.spelled_out import middle_layer_figures
from semantic_hub.spokes.vision.images.drawn import (
    drawn_pictures,
)
from semantic_hub.spokes.vision.images.picture import Picture
from semantic_hub.spokes.vision.inputs import (
    Encode,
    EncodedPicture,
    Grid,
    Wording,
    encode_picture,
)
from semantic_hub.spokes.vision.interventions import (
    COMBINATIONS,
    WHOLE_PICTURE,
    patch_pairs,
    recolor_items,
    steering,
)
from semantic_hub.spokes.vision.pairing import askable, changeable, hard_negatives, pairs
from semantic_hub.spokes.vision.reading import (
    PatchReadouts,
    caption_readouts,
    color_readouts,
    segment_readouts,
)

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings


_Set = tuple[tuple[EncodedPicture, ...], bool]
"""Pictures, and whether to ask a question about them."""

_READOUTS: Mapping[str, Callable[..., PatchReadouts]] = {
    "colour": color_readouts,
    "segment": segment_readouts,
    "caption": caption_readouts,
}
"""Functions that make read-outs, by the beginning of the name of their sets."""


@dataclass(frozen=True)
class VisionSpoke(Spoke):
    """Vision spoke: pictures against captions.

    Args:
        encode: From an image (Pillow's, mode RGB) to the features that the model reads, one row for
            each position; the last ones are patches, row by row from the top left.
        pictures: Drawn pictures or pictures from files; those of one kind are measured together.
        grid: Rows and columns of patches; None for a square with one patch for each feature.
        wording: Texts around pictures and captions.
        per_picture: Number of patches that the lens reads in each picture.
        at_most: Pictures in each set, evenly spaced. Sets of interventions, each of which is run at
            every layer, have no more than `COMBINATIONS`.
        seed: Seed of all draws: patches, control words, wrong captions, new colors, pairings.
        name: Name of the spoke in results.

    Raises:
        SemanticHubError: Fewer than two pictures.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> draw = np.random.default_rng(0).standard_normal((192, model.cfg.d_model))
        >>> def encode(image):
        ...     patches = sh.spokes.vision.patch_features(np.asarray(image))
        ...     return torch.from_numpy(patches @ draw).float()
        >>> spoke = VisionSpoke(encode, sh.spokes.vision.random_pictures(9, kind="halves"))
        >>> list(spoke.pairs()), list(spoke.readouts())
        (['halves', 'halves, asked'], ['colour, halves', 'segment, halves', 'caption, halves'])
        >>> list(spoke.interventions())
        ['half recoloured', 'half recoloured, added', 'picture -> picture, halves']
    """

    encode: Encode
    pictures: Sequence[Picture] = field(default_factory=drawn_pictures)
    grid: Grid | None = None
    wording: Wording = field(default_factory=Wording)
    per_picture: int = 1
    at_most: int = 200
    seed: int = 0
    name: str = "vision"

    def __post_init__(self) -> None:
        if len(self.pictures) < 2:
            raise SemanticHubError(
                "VisionSpoke",
                got=f"{len(self.pictures)} pictures",
                expected="at least 2",
                fix="Draw some with drawn_pictures(), or read them with read_pictures().",
            )

    @cached_property
    def encoded_pictures(self) -> Mapping[str, tuple[EncodedPicture, ...]]:
        """The pictures of each kind with their features; each is encoded once."""
        kinds = dict.fromkeys(picture.kind for picture in self.pictures)
        sets = {kind: [p for p in self.pictures if p.kind == kind] for kind in kinds}
        return {
            kind: tuple(
                encode_picture(self.encode, picture, self.grid)
                for picture in evenly_spaced(pictures, self.at_most)
            )
            for kind, pictures in sets.items()
        }

    def pairs(self) -> Mapping[str, Pairs]:
        """Pictures of each kind against captions, alone and with a question about a color.

        If only some captions of a kind contain a color or shape, these are another set.
        """
        return {
            name: pairs(pictures, self.wording, ask=ask)
            for name, (pictures, ask) in {**self._alone, **self._asked}.items()
        }

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Pictures against captions with one wrong color or shape, if all captions have one."""
        return {
            name: hard_negatives(pictures, self.wording, ask=ask, seed=self.seed)
            for name, (pictures, ask) in {**self._alone, **self._asked}.items()
            if ask or len(changeable(pictures)) == len(pictures)
        }

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs at patches: their color, their region's label, the words of the caption."""
        return {name: patches.readouts for name, patches in self.patch_readouts.items()}

    @cached_property
    def patch_readouts(self) -> Mapping[str, PatchReadouts]:
        """The read-outs with their patches, and the number of dropped patches by reason."""
        made = {
            f"{what}, {kind}": make(
                pictures, self.wording, per_picture=self.per_picture, seed=self.seed
            )
            for what, make in _READOUTS.items()
            for kind, pictures in self.encoded_pictures.items()
        }
        return {name: patches for name, patches in made.items() if len(patches) > 1}

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """One picture of only one color as a prompt, by color, to compare across spokes."""
        pictures: dict[str, Prompt] = {}
        for encoded in chain(*self.encoded_pictures.values()):
            if [region.name for region in encoded.picture.regions] == [""]:
                color = encoded.picture.regions[0].color
                pictures.setdefault(color, encoded.prompt(self.wording.up_to_image))
        return {"pictures": pictures}

    def spelled_out(self) -> Mapping[str, tuple[Prompt, ...]]:
        """Prompts at every patch of the first picture of each kind, for figures."""
        return {
            name: tuple(encoded.at_patch(p, self.wording) for p in range(encoded.n_patches))
            for name, encoded in self._spelled_out_pictures.items()
        }

    def figures(self, findings: "Findings") -> Mapping[str, "go.Figure"]:
        """One picture of each kind, with the top token of each patch at the middle layer."""
        return middle_layer_figures(self._spelled_out_pictures, findings, _draw_picture)

    def interventions(self) -> Mapping[str, Patching | Steering]:
        """Recoloring of one half by two modes of steering, and patching of whole pictures."""
        halved = [
            encoded
            for encoded in chain(*self.encoded_pictures.values())
            if [region.name for region in encoded.picture.regions] == ["left", "right"]
        ]
        items = recolor_items(halved, seed=self.seed)
        swapped = {
            f"picture -> picture, {kind}": patch_pairs(
                pictures, self.wording, seed=self.seed, at_most=COMBINATIONS
            )
            for kind, pictures in self.encoded_pictures.items()
        }
        steered = (
            {
                "half recoloured": steering(items, self.wording),
                "half recoloured, added": steering(items, self.wording, mode="add"),
            }
            if items
            else {}
        )
        patched = {k: Patching(found, WHOLE_PICTURE) for k, found in swapped.items() if found}
        return {**steered, **patched}

    @property
    def _alone(self) -> Mapping[str, _Set]:
        """Pictures of each kind, and those with a color or shape if only some captions have one."""
        all_kinds = self.encoded_pictures
        changed = {kind: changeable(pictures) for kind, pictures in all_kinds.items()}
        further = {
            f"{kind}, with a colour or shape": (pictures, False)
            for kind, pictures in changed.items()
            if 1 < len(pictures) < len(all_kinds[kind])
        }
        whole = {k: (pictures, False) for k, pictures in all_kinds.items() if len(pictures) > 1}
        return whole | further

    @property
    def _asked(self) -> Mapping[str, _Set]:
        """Pictures of each kind for a question about a color."""
        asked = {kind: askable(pictures) for kind, pictures in self.encoded_pictures.items()}
        return {f"{k}, asked": (found, True) for k, found in asked.items() if len(found) > 1}

    @property
    def _spelled_out_pictures(self) -> Mapping[str, EncodedPicture]:
        """The first picture of each kind."""
        kinds = self.encoded_pictures.items()
        return {f"each patch, {kind}": pictures[0] for kind, pictures in kinds if pictures}


def _draw_picture(
    title: str, encoded: EncodedPicture, layer: int, frame: "pd.DataFrame"
) -> tuple[str, "go.Figure"]:
    """Figure of a picture with its top tokens."""
    from semantic_hub.spokes.vision.figures import picture_words

    title = f"{title}: {encoded.picture.caption}"
    return title, picture_words(encoded.picture.pixels, frame, layer, encoded.grid, title=title)
