"""Where prompts go, layer by layer, between the words that they might say: two components of PCA.

Source: Wu et al. 2025, The Semantic Hub Hypothesis, arXiv 2411.04986, section 4 (arithmetic): the
states of ``c=a+`` over layers, with the unembeddings of digits and of number words as anchors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.output import final_norm, unembedding
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike
from semantic_hub.prompts.words import word_tokens
from semantic_hub.results import Result, manifest

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Plane = Literal["anchors", "all"]
"""Whose principal components span the picture; see `trajectories`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectories(Result):
    """Mean states of groups of prompts over layers, and words' unembeddings, in one plane.

    Args:
        groups: Names of the groups of prompts.
        layers: The layers; 0 is the embedding, k the stream after block k.
        anchors: The words.
        counts: Prompts in each group.
        plane: Whose principal components these are.
        states: Mean state of each group at each layer, on the two components.
        words: Each word's unembedding on them.
        explained: Share of the variance of what the plane was fitted to, for each component.
        captured: Share of the variance of the groups' mean states that the plane shows.
        manifest: Where the numbers come from.
    """

    coordinates = {"group": "groups", "layer": "layers", "anchor": "anchors"}

    groups: tuple[str, ...]
    layers: tuple[int, ...]
    anchors: tuple[str, ...]
    counts: tuple[int, ...]
    plane: str
    states: Float[Tensor, "group layer component"] = field(metadata={"unit": "of unit length"})
    words: Float[Tensor, "anchor component"] = field(metadata={"unit": "of unit length"})
    explained: Float[Tensor, " component"] = field(metadata={"unit": "share of variance"})
    captured: float

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame.

        Returns:
            Columns ``kind name layer x y n``: a row for each group and layer, ``kind`` being
            ``"states"``, then one for each word, ``"anchor"``, whose layer is NaN.
        """
        import pandas as pd

        rows = [
            {"kind": "states", "name": name, "layer": layer, "x": x, "y": y, "n": n}
            for name, n, of_group in zip(
                self.groups, self.counts, self.states.tolist(), strict=True
            )
            for layer, (x, y) in zip(self.layers, of_group, strict=True)
        ]
        nan = float("nan")
        rows += [
            {"kind": "anchor", "name": name, "layer": nan, "x": x, "y": y, "n": 1}
            for name, (x, y) in zip(self.anchors, self.words.tolist(), strict=True)
        ]
        return pd.DataFrame(rows)

    def figure(self) -> "go.Figure":
        """Paths over layers among the words; see `semantic_hub.lenses.trajectory_figure.paths`."""
        from semantic_hub.lenses.trajectory_figure import paths

        first, second = self.explained.tolist()
        return paths(self.to_frame(), explained=(first, second), fitted_to=self.plane)


def trajectories(
    model: HookedModel,
    prompts: Mapping[str, Sequence[PromptLike]],
    anchors: Sequence[str],
    *,
    plane: Plane = "anchors",
    layers: Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
) -> Trajectories:
    """The path of prompts over layers, among the unembeddings of words.

    States go through the model's final norm, as in the logit lens, so that their inner product
    with a word's unembedding is its logit (without bias). Then every state and every unembedding is
    scaled to length 1: what remains is direction, in which both kinds can be compared. The plane is
    that of the first two principal components

    - of the words (``plane="anchors"``), centred: it shows the words as far apart as two dimensions
      can, and of the states what bears on them. Far from all words means: none of them;
    - of states of all layers and words together (``plane="all"``): it shows the states best, and
      may spend both dimensions on what tells layers apart.

    A plane shows little of a space of many dimensions: ``captured`` says how much. Nearness in the
    picture is a lead; the lens measures it.

    Args:
        model: A decoder.
        prompts: Name of a path to its prompts, each read at its own ``position``, the last one by
            default; their states are averaged.
        anchors: Words; the unembeddings of all tokens that stand for one (with a space before
            it and without, its first token where it is several) are averaged.
        plane: Whose components.
        layers: Which layers, 0..n_layers; None for all.
        batch_size: Prompts per forward pass.

    Raises:
        SemanticHubError: A model without a tokenizer or an unembedding, a group without prompts,
            fewer than three words, a word that the tokenizer cannot begin, another plane, or as
            `semantic_hub.activations.residuals.residual_stream`.

    Example:
        >>> paths = trajectories(model, {"b = 2": ["5=3+", "9=7+"]}, ["2", "two", "7", "seven"])
        >>> tuple(paths.states.shape), tuple(paths.words.shape)
        ((1, 9, 2), (4, 2))

    Source:
        Wu et al. 2025, arXiv 2411.04986, section 4 (arithmetic).
    """
    check_decoder(model, "trajectories")
    _check(prompts, anchors, plane)
    wanted = check_layers(model, layers)
    means = _mean_states(model, prompts, wanted, batch_size)
    words = torch.stack([_unembedding(model, word) for word in anchors])
    cloud = words if plane == "anchors" else torch.cat([means.flatten(0, 1), words])
    centre, axes, explained = _components(cloud)
    spread = means.flatten(0, 1) - means.flatten(0, 1).mean(dim=0)
    return Trajectories(
        groups=tuple(prompts),
        layers=tuple(wanted),
        anchors=tuple(anchors),
        counts=tuple(map(len, prompts.values())),
        plane=plane,
        states=(means - centre) @ axes.T,
        words=(words - centre) @ axes.T,
        explained=explained,
        captured=float((spread @ axes.T).square().sum() / spread.square().sum()),
        manifest=manifest(model, measure="trajectories", lens="logit", plane=plane),
    )


@torch.inference_mode()
def _mean_states(
    model: HookedModel,
    prompts: Mapping[str, Sequence[PromptLike]],
    layers: Sequence[int],
    batch_size: int | Literal["auto"],
) -> Float[Tensor, "group layer d_model"]:
    """Each group's mean of normed states of length 1."""
    every = [prompt for group in prompts.values() for prompt in group]
    states = residual_stream(model, every, layers=layers, batch_size=batch_size)
    normed = final_norm(model, states).float().cpu()
    unit = torch.nn.functional.normalize(normed, dim=-1)
    return torch.stack([some.mean(dim=0) for some in unit.split([*map(len, prompts.values())])])


def _unembedding(model: HookedModel, word: str) -> Float[Tensor, " d_model"]:
    """The mean unembedding of a word's tokens, at length 1."""
    found = word_tokens(model.tokenizer, word)
    if found.problem:
        raise SemanticHubError(
            "trajectories",
            got=f"the word {word!r}: {found.problem}",
            expected="words that this tokenizer can begin",
            fix="Leave it out.",
        )
    columns = unembedding(model)[0][:, list(found.tokens)].float().cpu()
    return torch.nn.functional.normalize(columns.mean(dim=-1), dim=0)


def _components(
    cloud: Float[Tensor, "point d_model"],
) -> tuple[
    Float[Tensor, " d_model"], Float[Tensor, "component d_model"], Float[Tensor, " component"]
]:
    """Centre, first two principal components, and the share of the variance that each explains.

    Each component's largest entry is positive, so that the picture does not flip between machines.
    """
    centre = cloud.mean(dim=0)
    _, lengths, axes = torch.linalg.svd((cloud - centre).double(), full_matrices=False)
    largest = axes[:2].gather(1, axes[:2].abs().argmax(dim=1, keepdim=True))
    shares = lengths.square() / lengths.square().sum()
    return centre, (axes[:2] * largest.sign()).float(), shares[:2].float()


def _check(prompts: Mapping[str, Sequence[PromptLike]], anchors: Sequence[str], plane: str) -> None:
    empty = [name for name, group in prompts.items() if isinstance(group, str) or not len(group)]
    if empty or not prompts:
        raise _error(f"no prompts for {empty or 'any path'}", "a list of prompts for each path")
    if isinstance(anchors, str) or len(anchors) < _FEWEST:
        raise _error(f"{anchors!r} as anchors", "a list of three words or more, to span a plane")
    if plane not in ("anchors", "all"):
        raise _error(f"plane={plane!r}", '"anchors" or "all"')


_FEWEST = 3


def _error(got: str, expected: str) -> SemanticHubError:
    fix = "See the example of trajectories."
    return SemanticHubError("trajectories", got=got, expected=expected, fix=fix)
