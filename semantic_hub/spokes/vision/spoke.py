"""The vision spoke: pictures as soft tokens, against what is said of them.

Similarity pairs a picture with its caption; a hard negative says one colour or shape wrong. The
lens reads inside the picture: is the colour of a patch on top, the label of its segment, a word of
the caption? Steering recolours one half of a picture inside the model, patching puts one picture in
the place of another. Source: Wu et al. 2025, arXiv 2411.04986, sections 4 and 5 (images).
"""

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
from semantic_hub.spokes.vision.images.coco import coco_captions, coco_panoptic
from semantic_hub.spokes.vision.images.drawn import (
    Canvas,
    drawn_pictures,
    halves,
    one_color,
    random_pictures,
    shapes,
)
from semantic_hub.spokes.vision.images.files import read_pictures
from semantic_hub.spokes.vision.images.picture import COLORS, Picture, Region, patch_features
from semantic_hub.spokes.vision.inputs import PLAIN, Encode, Grid, Shown, Wording, show
from semantic_hub.spokes.vision.interventions import (
    COMBINATIONS,
    WHOLE_PICTURE,
    NewColor,
    Recolored,
    patch_pairs,
    recolored,
    steering,
)
from semantic_hub.spokes.vision.pairs import askable, hard_negatives, pairs, sayable
from semantic_hub.spokes.vision.readouts import (
    PatchReadouts,
    caption_readouts,
    color_readouts,
    segment_readouts,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings

__all__ = [
    "COLORS",
    "COMBINATIONS",
    "PLAIN",
    "WHOLE_PICTURE",
    "Canvas",
    "NewColor",
    "PatchReadouts",
    "Picture",
    "Recolored",
    "Region",
    "Shown",
    "VisionSpoke",
    "Wording",
    "caption_readouts",
    "coco_captions",
    "coco_panoptic",
    "color_readouts",
    "drawn_pictures",
    "patch_pairs",
    "halves",
    "hard_negatives",
    "one_color",
    "pairs",
    "patch_features",
    "random_pictures",
    "read_pictures",
    "recolored",
    "segment_readouts",
    "shapes",
    "show",
    "steering",
]


_Set = tuple[tuple[Shown, ...], bool]
"""Pictures, and whether they are asked about."""


@dataclass(frozen=True)
class VisionSpoke(Spoke):
    """Vision for `semantic_hub.run`: pictures against captions.

    Args:
        encode: From an image (Pillow's, mode RGB) to the features that the model reads, one row for
            each position; the last ones are patches, row by row from the top left.
        pictures: Drawn here or read from files; pictures of one kind are measured together.
        grid: Rows and columns of patches; None for a square of as many as there are features.
        wording: What is said around pictures and captions.
        per_picture: Patches that the lens reads in each picture.
        at_most: Pictures in each set, evenly spaced. Sets of interventions, each of which is run at
            every layer, have no more than `COMBINATIONS`.
        seed: Of all draws: patches, control words, wrong captions, new colours, patch_pairs.

    Raises:
        SemanticHubError: Fewer than two pictures.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> draw = np.random.default_rng(0).standard_normal((192, model.cfg.d_model))
        >>> def encode(image):
        ...     return torch.from_numpy(patch_features(np.asarray(image)) @ draw).float()
        >>> spoke = VisionSpoke(encode, random_pictures(9, kind="halves"))
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
    def shown(self) -> Mapping[str, tuple[Shown, ...]]:
        """The pictures of each kind with their features, each encoded once."""
        kinds = dict.fromkeys(picture.kind for picture in self.pictures)
        sets = {kind: [p for p in self.pictures if p.kind == kind] for kind in kinds}
        return {
            kind: tuple(show(self.encode, p, self.grid) for p in evenly_spaced(found, self.at_most))
            for kind, found in sets.items()
        }

    def pairs(self) -> Mapping[str, Pairs]:
        """Each kind of pictures against their captions, alone and asked about a region's colour.

        Where only some of the captions of a kind say a colour or shape, these are a further set.
        """
        return {
            name: pairs(shown, self.wording, ask=ask)
            for name, (shown, ask) in {**self._alone, **self._asked}.items()
        }

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """The same against captions with one colour or shape changed, where all say one."""
        return {
            name: hard_negatives(shown, self.wording, ask=ask, seed=self.seed)
            for name, (shown, ask) in {**self._alone, **self._asked}.items()
            if ask or len(sayable(shown)) == len(shown)
        }

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """At patches: their colour, the label of their segment, the words of the caption."""
        return {name: found.readouts for name, found in self.patch_readouts.items()}

    @cached_property
    def patch_readouts(self) -> Mapping[str, PatchReadouts]:
        """The read-outs with their patches, and how many were dropped for which reason."""
        made = {
            f"{what}, {kind}": make(
                shown, self.wording, per_picture=self.per_picture, seed=self.seed
            )
            for what, make in _ASKED.items()
            for kind, shown in self.shown.items()
        }
        return {name: found for name, found in made.items() if len(found) > 1}

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """The first picture that is all of one colour, for each colour, under the colour's word."""
        found: dict[str, Prompt] = {}
        for shown in chain(*self.shown.values()):
            if [region.name for region in shown.picture.regions] == [""]:
                color = shown.picture.regions[0].color
                found.setdefault(color, shown.prompt(self.wording.up_to_image))
        return {"pictures": found}

    def spelled_out(self) -> Mapping[str, tuple[Prompt, ...]]:
        """Every patch of the first picture of each kind."""
        return {
            name: tuple(shown.at(patch, self.wording) for patch in range(shown.n_patches))
            for name, shown in self._spelled_out_pictures().items()
        }

    def figures(self, found: "Findings") -> Mapping[str, "go.Figure"]:
        """These pictures, with the top token of each patch at the middle layer."""
        from semantic_hub.spokes.vision.figures import patch_words

        return patch_words(self._spelled_out_pictures(), found)

    def interventions(self) -> Mapping[str, Patching | Steering]:
        """A half recoloured, in two ways, and pictures put in the place of others."""
        every = [one for shown in self.shown.values() for one in shown]
        items = recolored([one for one in every if _is_halved(one)], seed=self.seed)
        swapped = {
            f"picture -> picture, {kind}": patch_pairs(
                shown, self.wording, seed=self.seed, at_most=COMBINATIONS
            )
            for kind, shown in self.shown.items()
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

    def _spelled_out_pictures(self) -> Mapping[str, Shown]:
        """First picture of each kind."""
        return {f"each patch, {kind}": shown[0] for kind, shown in self.shown.items() if shown}

    @property
    def _alone(self) -> Mapping[str, _Set]:
        """Each kind, and of those where only some captions say a colour or shape those pictures."""
        some = {kind: sayable(shown) for kind, shown in self.shown.items()}
        further = {
            f"{kind}, with a colour or shape": (found, False)
            for kind, found in some.items()
            if 1 < len(found) < len(self.shown[kind])
        }
        return {k: (shown, False) for k, shown in self.shown.items() if len(shown) > 1} | further

    @property
    def _asked(self) -> Mapping[str, _Set]:
        """Of each kind the pictures that can be asked about a colour."""
        some = {kind: askable(shown) for kind, shown in self.shown.items()}
        return {f"{kind}, asked": (found, True) for kind, found in some.items() if len(found) > 1}


_Ask = Callable[..., PatchReadouts]
_ASKED: Mapping[str, _Ask] = {
    "colour": color_readouts,
    "segment": segment_readouts,
    "caption": caption_readouts,
}


def _is_halved(shown: Shown) -> bool:
    return [region.name for region in shown.picture.regions] == ["left", "right"]
