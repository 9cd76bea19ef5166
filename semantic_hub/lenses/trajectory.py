"""Trajectories of mean states over layers among words, on two principal components.

Source: Wu et al. 2025, The Semantic Hub Hypothesis, arXiv 2411.04986, section 4 (arithmetic): the
states of ``c=a+`` over layers, with the unembeddings of digits and of number words as anchors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, as_list, check_choice, check_kinds
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.output import final_norm, unembedding
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, Prompts, as_prompts
from semantic_hub.prompts.words import word_tokens
from semantic_hub.results.result import Result, manifest

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Plane = Literal["anchors", "all"]
"""What the principal components are computed from; see `trajectories`."""


_FEWEST = 3
"""Smallest number of words that span a plane."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectories(Result):
    """Result of `trajectories`: mean states over layers and unembeddings of words, in one plane.

    Args:
        groups: Names of the groups of prompts.
        layers: The layers; 0 is the embedding, k the stream after block k.
        anchors: The words.
        counts: Prompts in each group.
        plane: What the principal components were computed from.
        states: Mean state of each group at each layer, on the two components.
        words: Unembedding of each word on the two components.
        explained: Share of the variance of what the plane was fitted to, by component.
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
            for name, n, path in zip(self.groups, self.counts, self.states.tolist(), strict=True)
            for layer, (x, y) in zip(self.layers, path, strict=True)
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
    prompts: Mapping[str, Prompts],
    anchors: str | Sequence[str],
    *,
    plane: Plane = "anchors",
    layers: int | Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
) -> Trajectories:
    """Project mean states of prompts, layer by layer, and unembeddings of words onto one plane.

    States go through the model's final norm, as in the logit lens, so that their inner product
    with a word's unembedding is its logit (without bias). Then every state and every unembedding is
    scaled to length 1: what remains is direction, in which both kinds can be compared. The plane is
    that of the first two principal components

    - of the words (``plane="anchors"``), centered: the words lie as far apart as two dimensions
      allow, and of the states only what distinguishes the words is shown;
    - of states of all layers and words together (``plane="all"``): the states are shown best, but
      both dimensions may be spent on differences between layers.

    A plane shows a small part of a space of many dimensions: ``captured`` says how much. Points
    that are near in the picture need not be near in the space: check with the lens.

    Args:
        model: A decoder.
        prompts: Name of a path to its prompts, each read at its own ``position``, the last one by
            default; their states are averaged.
        anchors: Words; the unembeddings of all tokens that stand for one (with a space before
            it and without, its first token where it is several) are averaged.
        plane: What the components are computed from.
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
    check_kinds("trajectories", prompts=(prompts, Mapping))
    groups = {n: as_prompts("trajectories", "prompts", group) for n, group in prompts.items()}
    anchors = as_list("trajectories", "anchors", anchors, str)
    _check(groups, anchors, plane)
    layers = check_layers(model, layers)
    means = _mean_states(model, groups, layers, batch_size)
    words = torch.stack([_unembedding(model, word) for word in anchors])
    cloud = words if plane == "anchors" else torch.cat([means.flatten(0, 1), words])
    center, axes, explained = _components(cloud)
    spread = means.flatten(0, 1) - means.flatten(0, 1).mean(dim=0)
    return Trajectories(
        groups=tuple(groups),
        layers=tuple(layers),
        anchors=tuple(anchors),
        counts=tuple(map(len, groups.values())),
        plane=plane,
        states=(means - center) @ axes.T,
        words=(words - center) @ axes.T,
        explained=explained,
        captured=float((spread @ axes.T).square().sum() / spread.square().sum()),
        manifest=manifest(model, measure="trajectories", lens="logit", plane=plane),
    )


@torch.inference_mode()
def _mean_states(
    model: HookedModel,
    prompts: Mapping[str, Sequence[Prompt]],
    layers: Sequence[int],
    batch_size: int | Literal["auto"],
) -> Float[Tensor, "group layer d_model"]:
    """Mean over each group of its states, normed and scaled to length 1."""
    everything = [prompt for group in prompts.values() for prompt in group]
    states = residual_stream(model, everything, layers=layers, batch_size=batch_size)
    normed = final_norm(model, states).float().cpu()
    unit = torch.nn.functional.normalize(normed, dim=-1)
    return torch.stack([group.mean(dim=0) for group in unit.split([*map(len, prompts.values())])])


def _unembedding(model: HookedModel, word: str) -> Float[Tensor, " d_model"]:
    """Mean unembedding of a word's tokens, scaled to length 1."""
    tokens = word_tokens(model.tokenizer, word)
    if tokens.problem:
        raise SemanticHubError(
            "trajectories",
            got=f"the word {word!r}: {tokens.problem}",
            expected="words that this tokenizer can begin",
            fix="Leave it out.",
        )
    columns = unembedding(model)[0][:, list(tokens.tokens)].float().cpu()
    return torch.nn.functional.normalize(columns.mean(dim=-1), dim=0)


def _components(
    cloud: Float[Tensor, "point d_model"],
) -> tuple[
    Float[Tensor, " d_model"], Float[Tensor, "component d_model"], Float[Tensor, " component"]
]:
    """Center, first two principal components, and the share of the variance that each explains.

    Each component's largest entry is positive, so that the picture does not flip between machines.
    """
    center = cloud.mean(dim=0)
    _, lengths, axes = torch.linalg.svd((cloud - center).double(), full_matrices=False)
    largest = axes[:2].gather(1, axes[:2].abs().argmax(dim=1, keepdim=True))
    shares = lengths.square() / lengths.square().sum()
    return center, (axes[:2] * largest.sign()).float(), shares[:2].float()


def _check(prompts: Mapping[str, Sequence[Prompt]], anchors: Sequence[str], plane: str) -> None:
    empty = [name for name, group in prompts.items() if not group]
    if empty or not prompts:
        raise _error(f"no prompts for {empty or 'any path'}", "a list of prompts for each path")
    if len(anchors) < _FEWEST:
        raise _error(f"{anchors!r} as anchors", "a list of three words or more, to span a plane")
    check_choice("trajectories", "plane", plane, get_args(Plane))


def _error(got: str, expected: str) -> SemanticHubError:
    fix = "See the example of trajectories."
    return SemanticHubError("trajectories", got=got, expected=expected, fix=fix)
