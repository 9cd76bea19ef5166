"""Image or audio encoder of a multimodal checkpoint: from an image or a waveform to soft tokens."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError, require
from semantic_hub.models.conversion import convert_parameters
from semantic_hub.models.protocol import first_parameter

MODALITIES = {"image_token_id": "images", "audio_token_id": "audio"}
"""Field of a configuration to the argument of a processor that takes such inputs."""


@runtime_checkable
class EncodeInput(Protocol):
    """Type of a function from an image or a waveform to features, such as an `Encoder`."""

    def __call__(
        self, image_or_waveform: Any, /, rate: int | None = None
    ) -> Float[Tensor, "pos d_model"]:
        """Features of one image, or of a waveform with its sampling rate in Hz."""
        ...


def feature_token(config: Any) -> tuple[str, int]:
    """Find the placeholder token for images or audio that a model's configuration names.

    Args:
        config: A configuration of transformers.

    Returns:
        The processor's argument, ``"images"`` or ``"audio"``, and the token's id.

    Raises:
        SemanticHubError: A configuration that names no such token, or both.

    Example:
        >>> from types import SimpleNamespace
        >>> feature_token(SimpleNamespace(image_token_id=32000))
        ('images', 32000)
    """
    ids = {name: getattr(config, name, None) for name in MODALITIES}
    tokens = [(MODALITIES[name], token) for name, token in ids.items() if token is not None]
    if len(tokens) != 1:
        raise SemanticHubError(
            "multimodal",
            got=f"a {type(config).__name__} with {len(tokens)} of {', '.join(MODALITIES)}",
            expected="the configuration of a model that reads images, or sounds, among tokens",
            fix="Pass such a checkpoint; load_model loads the models of text alone.",
        )
    return tokens[0]


def feature_span(inputs: Mapping[str, Any], config: Any) -> range:
    """Find the positions of the image or sound in a processor's output for one prompt.

    Args:
        inputs: A processor's output for one prompt; its ``input_ids`` are read.
        config: The model's configuration, which names the token of features.

    Returns:
        Indices into the prompt's tokens.

    Raises:
        SemanticHubError: More than one prompt; no features, or features at several places; a
            configuration that names no token for them.

    Example:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> feature_span({"input_ids": torch.tensor([[1, 9, 9, 9, 4]])},
        ...              SimpleNamespace(image_token_id=9))
        range(1, 4)
    """
    _, marker = feature_token(config)
    tokens = _one_row(inputs["input_ids"])
    positions = [position for position, token in enumerate(tokens) if token == marker]
    n_spans = sum(position - 1 not in positions for position in positions)
    if n_spans != 1:
        raise SemanticHubError(
            "multimodal",
            got=f"a prompt with features at {n_spans} places",
            expected="one image or one sound, whose positions are next to each other",
            fix="Give the processor one image or sound, and a text with one placeholder for it.",
        )
    return range(positions[0], positions[-1] + 1)


def _one_row(tokens: Int[Tensor, "batch pos"]) -> list[int]:
    """The token ids of a batch of one prompt."""
    if len(tokens) != 1:
        raise SemanticHubError(
            "multimodal",
            got=f"{len(tokens)} prompts",
            expected="the processor's output for one prompt, with a batch axis of 1",
            fix="Call the processor once for each prompt.",
        )
    return tokens[0].tolist()


class Preparation:
    """Make a network's inputs from an image or a waveform, with the checkpoint's processor.

    Args:
        processor: The processor.
        config: The network's configuration, which names the token of features.

    Raises:
        SemanticHubError: A configuration that names no token of features, or several kinds.
    """

    def __init__(self, processor: Any, config: Any) -> None:
        self._processor, self.config = processor, config
        self.argument, token = feature_token(config)
        self._marker = processor.tokenizer.convert_ids_to_tokens(token)

    @property
    def rate(self) -> int | None:
        """The sampling rate of waveforms, in Hz; None for images."""
        extractor = getattr(self._processor, "feature_extractor", None)
        return getattr(extractor, "sampling_rate", None)

    def __call__(self, image_or_waveform: Any, rate: int | None = None, after: str = "") -> Any:
        """Make the network's inputs, a mapping of tensors with a batch axis of 1.

        Args:
            image_or_waveform: An image, or samples of one channel.
            rate: Of samples, in Hz.
            after: Text after the features.

        Raises:
            SemanticHubError: As `Encoder`.
        """
        is_audio = self.argument == "audio"
        image_or_waveform = (
            self._checked(image_or_waveform, rate)
            if is_audio
            else _checked_image(image_or_waveform)
        )
        options: dict[str, Any] = {"sampling_rate": rate} if is_audio else {}
        options[self.argument] = [image_or_waveform]
        try:
            return self._processor(text=[self._marker + after], return_tensors="pt", **options)
        except ValueError as error:
            raise SemanticHubError(
                "encode",
                got=f"an input that the checkpoint's {type(self._processor).__name__} refuses "
                f"({error})",
                expected=f"one that takes {self._marker!r} in a text as the place of features",
                fix="Use a checkpoint whose processor does, such as LLaVA's or Qwen2-Audio's.",
            ) from error

    def _checked(self, waveform: Any, rate: int | None) -> Float[np.ndarray, " sample"]:
        """The samples as float32, if they are finite, of one channel and of the right rate."""
        samples = np.asarray(waveform)
        numbers = samples.dtype.kind == "f" and samples.ndim == 1 and samples.size
        if not numbers or not np.isfinite(samples).all() or rate != self.rate:
            raise SemanticHubError(
                "encode",
                got=f"{samples.dtype} of shape {samples.shape} at {rate} Hz"
                + (", with NaN or infinity in it" if numbers and rate == self.rate else ""),
                expected=f"finite floating-point samples of one channel at {self.rate} Hz",
                fix="Mix the channels down, and resample the waveform.",
            )
        return samples.astype(np.float32)


class Encoder:
    """Turn an image or a waveform into the features that the language model reads.

    Call it as ``encode(image)`` or ``encode(waveform, rate)``. The checkpoint's processor prepares
    the input, its encoder and projector compute features, and these are read where the language
    model receives them.

    Args:
        network: The multimodal network of transformers, without its output head. Its embedding,
            encoder and projector are kept; the language model's blocks are freed.
        prepare: Prepares the network's inputs.
    """

    def __init__(self, network: Any, prepare: Preparation) -> None:
        network.language_model = _InputEmbeddings(network.get_input_embeddings().weight)
        self._network, self._prepare = network, prepare

    @property
    def rate(self) -> int | None:
        """The sampling rate of waveforms, in Hz; None for images."""
        return self._prepare.rate

    @property
    def config(self) -> Any:
        """The network's configuration."""
        return self._prepare.config

    def __call__(
        self, image_or_waveform: Any, rate: int | None = None
    ) -> Float[Tensor, "pos d_model"]:
        """Features of one image, or of one waveform.

        Args:
            image_or_waveform: An image (``PIL.Image.Image``), or samples of one channel.
            rate: Of samples, in Hz.

        Returns:
            One row for each position, on the CPU.

        Raises:
            SemanticHubError: No image where one is expected; samples that are empty, of several
                channels, not finite or of another rate than the checkpoint's.
        """
        return self.features(self._prepare(image_or_waveform, rate))

    @torch.inference_mode()
    def features(self, inputs: Any) -> Float[Tensor, "pos d_model"]:
        """Compute features from the processor's output for an image or a waveform."""
        parameter = first_parameter(self._network)
        inputs = inputs.to(parameter.device, parameter.dtype)
        with refusing_misfits(inputs):
            embeddings = self._network(**inputs).last_hidden_state[0]
        span = feature_span(inputs, self.config)
        return embeddings[span.start : span.stop].clone().cpu()

    def to(self, device: str | torch.device, dtype: torch.dtype) -> "Encoder":
        """Move the encoder to a device, convert it to a dtype, and return it."""
        convert_parameters(self._network.to(device), dtype)
        return self


@contextmanager
def refusing_misfits(inputs: Mapping[str, Any]) -> Iterator[None]:
    """Context that says which inputs of a processor a network of another size cannot read.

    Args:
        inputs: The processor's output.

    Raises:
        SemanticHubError: In place of the network's own error.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError:
        raise
    except (ValueError, RuntimeError) as error:
        shapes = ", ".join(
            f"{name} of shape {tuple(value.shape)}"
            for name, value in inputs.items()
            if isinstance(value, Tensor)
        )
        raise SemanticHubError(
            "encode",
            got=f"{shapes} from the processor ({str(error).splitlines()[0]})",
            expected="inputs of the size that the checkpoint's network reads",
            fix="Give the processor's configuration the network's own size, such as image_size.",
        ) from error


class _InputEmbeddings(torch.nn.Module):
    """Stand-in for a language model that returns its input embeddings."""

    def __init__(self, weight: Float[Tensor, "d_vocab d_model"]) -> None:
        super().__init__()
        self.embed_tokens = torch.nn.Embedding.from_pretrained(weight)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.embed_tokens

    def forward(self, inputs_embeds: Tensor, **options: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPast

        return BaseModelOutputWithPast(last_hidden_state=inputs_embeds)  # type: ignore[arg-type]


def _checked_image(image: Any) -> Any:
    """The image in mode RGB, if it is one of Pillow's."""
    require("PIL")
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise SemanticHubError(
            "encode",
            got=f"a {type(image).__name__}",
            expected="an image (PIL.Image.Image)",
            fix="Open the file with PIL.Image.open, or use PIL.Image.fromarray.",
        )
    return image.convert("RGB")
