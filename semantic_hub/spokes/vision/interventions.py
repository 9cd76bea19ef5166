"""Interventions on pictures: one half recoloured inside the model, and one picture into another.

Steering: a region's patches get ``U[new colour] − U[old colour]``, in the place of their states
from a layer on, or added to them at a layer. If the model reads its picture in words, it then names
the new colour. Source: Wu et al. 2025, arXiv 2411.04986, section 5 (images of two colours).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import PatchPair, PositionMap
from semantic_hub.interventions.spec import Steering, UnembeddingContrast
from semantic_hub.interventions.steering.hook import Mode
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.spokes.routes import partners
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.vision.images.picture import COLORS, Region
from semantic_hub.spokes.vision.inputs import Shown, Wording

COMBINATIONS = 48
"""How many combinations of colours are steered, as in the paper."""

WHOLE_PICTURE = PositionMap(SoftPositions(), SoftPositions(), mode="one-to-one")
"""Every position of one picture to the same of another."""


@dataclass(frozen=True)
class NewColor:
    """Whether the new colour was named, the old one, or something else.

    The first word of a text decides.

    Args:
        old: What each prompt's region has.
        new: What it is steered towards.

    Example:
        >>> outcome = NewColor(("red", "blue"), ("green", "pink"))
        >>> outcome(0, " green."), outcome(1, "Blue"), outcome(1, " a pink one")
        ('success', 'unchanged', 'other')
    """

    old: tuple[str, ...]
    new: tuple[str, ...]

    def __call__(self, index: int, text: str) -> str:
        """One of `semantic_hub.interventions.steering.outcomes.OUTCOMES` for a prompt and its continuation."""
        said = re.match(r"\W*([^\W\d_]+)", text)
        outcomes = {self.new[index]: "success", self.old[index]: "unchanged"}
        return outcomes.get(said[1].casefold(), "other") if said else "other"


@dataclass(frozen=True, eq=False)
class Recolored:
    """A region of a picture, and the colour that it is to be given.

    Args:
        shown: The picture.
        region: Index of the region.
        new: A colour that no region of the picture has.
    """

    shown: Shown
    region: int
    new: str

    @property
    def of(self) -> Region:
        """The region as it is."""
        return self.shown.picture.regions[self.region]


def recolored(
    shown: Sequence[Shown], *, at_most: int = COMBINATIONS, seed: int = 0
) -> tuple[Recolored, ...]:
    """One region of each picture, the left one and the right one in turn, with a new colour.

    Of the 48 combinations each is an ordered pair of colours, left and right, and a third one at
    random. Pictures with fewer than two regions that have colour and patches are left out.

    Args:
        shown: The pictures.
        at_most: Pictures to keep, evenly spaced.
        seed: Of the new colours.
    """
    rng = np.random.default_rng(seed)
    with_two = [one for one in shown if len(_colored(one)) > 1]
    return tuple(
        Recolored(one, _colored(one)[index % 2], _other_color(one, rng))
        for index, one in enumerate(evenly_spaced(with_two, at_most) if with_two else ())
    )


def steering(
    items: Sequence[Recolored],
    wording: Wording | None = None,
    *,
    mode: Mode = "replace",
    max_new_tokens: int = 3,
) -> Steering:
    """A question about each region, steered at its patches by ``U[new] − U[old]``.

    - ``"replace"``: from each layer on the direction, at strength 1, is all that there is at these
      patches. Its length then matters little: where a norm comes first, every block reads it alike.
    - ``"add"``: at each layer alone the direction is added, over strengths. Here too strength 1 is
      as long as the prompts' states at their ends are on average.

    Args:
        items: Regions and their new colours.
        wording: The question; None for the default.
        mode: ``"replace"`` or ``"add"``.
        max_new_tokens: How far to generate: room for a colour.

    Raises:
        SemanticHubError: No items.
    """
    said = wording or Wording()
    if not items:
        raise SemanticHubError(
            "vision.steering",
            got="no pictures",
            expected="one with two regions of different colour",
            fix="Draw some with halves().",
        )
    old, new = tuple(item.of.color for item in items), tuple(item.new for item in items)
    return Steering(
        prompts=tuple(item.shown.prompt(said.asked(item.of)) for item in items),
        contrasts={"new - old colour": UnembeddingContrast(new, old)},
        outcome=NewColor(old, new),
        strengths=(1.0,) if mode == "replace" else _STRENGTHS,
        positions=tuple(item.shown.of_region(item.region) for item in items),
        mode=mode,
        max_new_tokens=max_new_tokens,
        all_later_layers=mode == "replace",
    )


def patch_pairs(
    shown: Sequence[Shown], wording: Wording | None = None, *, seed: int = 0, at_most: int = 100
) -> tuple[PatchPair, ...]:
    """The states of one picture into another where the same part has another colour.

    The question is about that part; answers are its colour in the picture that states come from
    (``"source"``) and in the one that they go to (``"base"``). To be joined by `WHOLE_PICTURE`.

    Args:
        shown: Pictures with a coloured region; as many features in each.
        wording: The question; None for the default.
        seed: Decides which picture goes into which, and which part is asked about.
        at_most: Patch pairs to keep, evenly spaced.
    """
    said, rng = wording or Wording(), np.random.default_rng(seed)
    asked = [(one, one.picture.regions[int(rng.choice(_colored(one)))]) for one in _all(shown)]
    kinds = [f"{region.name} {len(one.features)}" for one, region in asked]
    colors = [region.color for _, region in asked]
    found = [
        PatchPair(
            sources=(asked[given][0].prompt(said.asked(asked[given][1])),),
            base=asked[taking][0].prompt(said.asked(asked[taking][1])),
            answers={"source": (colors[given],), "base": (colors[taking],)},
        )
        for given, taking in partners(kinds, colors, seed)
    ]
    return evenly_spaced(found, at_most) if found else ()


_STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0)


def _all(shown: Sequence[Shown]) -> Iterator[Shown]:
    return (one for one in shown if _colored(one))


def _colored(shown: Shown) -> list[int]:
    """The regions that have a colour of `COLORS`, and a patch."""
    there = set(shown.regions.tolist())
    regions = enumerate(shown.picture.regions)
    return [index for index, region in regions if region.color in COLORS and index in there]


def _other_color(shown: Shown, rng: np.random.Generator) -> str:
    there = {region.color for region in shown.picture.regions}
    return str(rng.choice([color for color in COLORS if color not in there]))
