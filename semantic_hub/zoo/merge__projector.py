"""The eye and the ear of hub-mini: one linear map from patches, or from frames, to soft tokens."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.merge__storage import write_atomically


@dataclass(frozen=True, eq=False)
class Projector:
    """Features to soft tokens, ``x W + P``: the same map at every place, and a vector for each.

    Args:
        weight: W.
        place: P, one row for each place that there may be.

    Example:
        >>> import torch
        >>> projector = Projector(torch.eye(3), torch.zeros(4, 3))
        >>> projector(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    weight: Float[Tensor, "feature d_model"]
    place: Float[Tensor, "place d_model"]

    def __call__(self, features: Float[Tensor, "... pos feature"]) -> Float[Tensor, "..."]:
        """The soft tokens of one input, or of several of one length.

        Raises:
            SemanticHubError: Features of another width, or more of them than there are places.
        """
        n_pos, width = features.shape[-2:]
        if width != len(self.weight) or n_pos > len(self.place):
            raise SemanticHubError(
                "Projector",
                got=f"{n_pos} features of width {width}",
                expected=f"at most {len(self.place)} of width {len(self.weight)}",
                fix="Make the features as the projector's training did.",
            )
        return features @ self.weight + self.place[:n_pos]

    def save(self, path: Path) -> None:
        """Write it as safetensors, in place of what is there."""
        tensors = {"weight": self.weight, "place": self.place}
        write_atomically(path, save({name: t.detach().contiguous() for name, t in tensors.items()}))

    @classmethod
    def load(cls, path: Path) -> "Projector":
        """Read back what `save` wrote.

        Raises:
            SemanticHubError: No such file, or another one.
        """
        try:
            tensors = load_file(path)
            return cls(tensors["weight"], tensors["place"])
        except (OSError, SafetensorError, KeyError) as error:
            raise SemanticHubError(
                "Projector.load",
                got=f"{path}: {type(error).__name__}",
                expected="a file that Projector.save wrote",
                fix="Train one with python -m semantic_hub.zoo.training.train_senses.",
            ) from None
