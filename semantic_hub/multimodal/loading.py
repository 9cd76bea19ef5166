"""Load a multimodal checkpoint: its language model, and an encoder that makes soft tokens for it.

A checkpoint such as LLaVA or Qwen2-Audio is an encoder, a projector and a language model. The
language model becomes a ``HookedTransformer`` or a ``TransformerBridge``; the rest becomes an
`Encoder` that turns an image or a waveform into features for a `Prompt`.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.features import injecting_features
from semantic_hub.errors import SemanticHubError, check_kinds, is_folder, require, told_as
from semantic_hub.models.bars import without_bars_in_logs
from semantic_hub.models.checkpoints import (
    Backend,
    DType,
    LoadOptions,
    file_errors,
    load_options,
    unreadable,
)
from semantic_hub.models.conventions import set_conventions
from semantic_hub.models.conversion import host_network, same_logits, to_dtype
from semantic_hub.models.loading import load_model
from semantic_hub.models.protocol import HookedModel, LoadedModel
from semantic_hub.models.registry import Registry
from semantic_hub.multimodal.encoder import (
    EncodeInput,
    Encoder,
    Preparation,
    feature_span,
    refusing_misfits,
)
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT_TOKEN, SoftTokens

_AFTER = " 1 2 3"
"""Text after the probe's features: the language model's use of them shows in its logits too."""


class EncoderSource(NamedTuple):
    """A registered encoder: which model names it belongs to, and a function that loads it.

    Attributes:
        matches: Whether a name or folder is of this kind.
        load: Loads the encoder of a name or folder.
    """

    matches: Callable[[str], bool]
    load: Callable[[str], EncodeInput]


ENCODERS: Registry[EncoderSource] = Registry("encoder")
"""Encoders beside those that are read from a multimodal checkpoint of transformers."""


@without_bars_in_logs()
@told_as("load_multimodal", instead_of="load_model")
def load_multimodal(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: DType = "auto",
    backend: Backend = "auto",
    trust_remote_code: bool = False,
    prepend_bos: bool | None = None,
    end_tokens: int | Sequence[int] | None = None,
) -> tuple[LoadedModel, EncodeInput]:
    """Load the language model of a multimodal checkpoint, and the encoder that feeds it.

    Both are checked together: on a probe (an image or a sound of noise, and text), the logits must
    be those of the checkpoint's own network. So architectures are refused whose language models
    treat features otherwise than tokens (positions in two dimensions, attention in both directions,
    features added to deeper layers).

    Args:
        name_or_path: ``"hub-mini"`` or another name with an encoder that `register_encoder` added,
            a local Hugging Face folder with the checkpoint's processor, or a name.
        device: Where both go; None leaves the choice to TransformerLens.
        dtype: As for `semantic_hub.load_model`.
        backend: As for `semantic_hub.load_model`. ``"auto"`` is a ``HookedTransformer`` where
            TransformerLens converts the language model, else a ``TransformerBridge`` around it.
        trust_remote_code: Whether code that comes with the model may run.
        prepend_bos: As for `semantic_hub.load_model`.
        end_tokens: As for `semantic_hub.load_model`.

    Returns:
        The model with unprocessed weights, and ``encode(image)`` or ``encode(waveform, rate)``:
        an `Encoder`, unless another was registered.

    Raises:
        SemanticHubError: No such files; not a multimodal checkpoint; a language model that
            TransformerLens has no conversion for; logits that differ.

    Example:
        >>> from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions
        >>> model, encode = sh.load_multimodal("hub-mini")  # or "llava-hf/llava-1.5-7b-hf"
        >>> span = SoftTokens(encode(sh.spokes.vision.one_color("red").image))
        >>> prompt = sh.Prompt(f"{SOFT} colour:", soft=(span,))
        >>> sh.residual_stream(model, [prompt], positions=SoftPositions()).shape
        torch.Size([1, 9, 96])
    """
    options = load_options(
        "load_multimodal", name_or_path, device, dtype, backend, trust_remote_code
    )
    name = str(name_or_path)
    for source in ENCODERS.values():
        if source.matches(name):
            model = load_model(
                name,
                device=device,
                dtype=dtype,
                backend=backend,
                trust_remote_code=trust_remote_code,
                prepend_bos=prepend_bos,
                end_tokens=end_tokens,
            )
            return model, source.load(name)
    model, encode = _load_checkpoint(name, options)
    set_conventions(model, prepend_bos, end_tokens)
    return cast(LoadedModel, model), encode


def register_encoder(
    name: str,
    *,
    matches: Callable[[str], bool],
    load: Callable[[str], EncodeInput],
    replace: bool = False,
) -> None:
    """Make `load_multimodal` use an encoder of your own for some models.

    Args:
        name: Name of the encoder.
        matches: Whether the encoder belongs to a name or folder that `load_multimodal` is given.
            `semantic_hub.load_model` must know that name or folder as well.
        load: From that name or folder to ``encode(image)`` or ``encode(waveform, rate)``, which
            returns features ``[pos, d_model]``.
        replace: Whether an encoder that has the name already is replaced.

    Raises:
        SemanticHubError: The name is empty or in use.

    Example:
        >>> def brightness(image, rate=None):
        ...     return torch.full((1, 96), float(np.asarray(image).mean()))
        >>> register_encoder(
        ...     "brightness", matches="planted-hub".__eq__, load=lambda name: brightness
        ... )
        >>> model, encode = sh.load_multimodal("planted-hub")
        >>> encode(np.ones((8, 8, 3))).shape
        torch.Size([1, 96])
        >>> ENCODERS.unregister("brightness")
    """
    check_kinds("register_encoder", matches=(matches, Callable), load=(load, Callable))
    ENCODERS.register(name, EncoderSource(matches, load), replace=replace)


def _load_checkpoint(name: str, options: LoadOptions) -> tuple[HookedModel, Encoder]:
    """Load a multimodal checkpoint of transformers, and check both parts on a probe."""
    parts = _read(name, options)
    exact = dataclasses.replace(options, dtype=options.compared_dtype)
    with file_errors(name), torch.inference_mode():
        prepare = Preparation(parts.processor, parts.network.config)
        probe = prepare(*_noise(prepare), after=_AFTER)
    with torch.inference_mode(), refusing_misfits(probe):
        expected = parts.network(**probe.to(exact.dtype)).logits[0]
    source = _language_network(parts.network)
    encode = Encoder(parts.network.base_model, prepare)
    model = _host(source, parts.processor.tokenizer, name, exact)
    if not same_logits(_logits(model, encode, probe), expected, exact.dtype):
        raise SemanticHubError(
            "load_multimodal",
            got=f"{name!r}, whose language model reads features otherwise than tokens",
            expected="features in place of embeddings, one position after the other",
            fix="Load it as a TransformerBridge, and read it with its own inputs.",
        )
    to_dtype(model, options.dtype)
    return model, encode.to(model.cfg.device, options.dtype)


class _Parts(NamedTuple):
    """A whole multimodal network and its processor."""

    network: Any
    processor: Any


def _read(name: str, options: LoadOptions) -> _Parts:
    """Read the whole network, in evaluation mode on the CPU, and its processor."""
    import transformers

    trust = {"trust_remote_code": options.trust_remote_code}
    with file_errors(name):
        try:
            config = transformers.AutoConfig.from_pretrained(name, **trust)
        except ValueError:  # a configuration of no architecture that transformers knows
            raise _not_multimodal(name) from None
        except OSError as error:
            if is_folder(name):
                raise
            raise _not_found(name) from error
        architecture = getattr(transformers, (config.architectures or ["none"])[0], None)
        if architecture is None or not hasattr(config, "text_config"):
            raise _not_multimodal(name)
        if hasattr(config, "vision_config"):
            require("PIL")  # before the weights are read
        network = architecture.from_pretrained(
            name, dtype=options.compared_dtype, attn_implementation="eager"
        )
        processor = transformers.AutoProcessor.from_pretrained(name, **trust)
    if not hasattr(processor, "tokenizer"):
        raise unreadable(name)
    return _Parts(network.eval(), processor)


def _language_network(network: Any) -> Any:
    """The language model alone, as transformers would load it; it shares the weights."""
    import transformers

    config = network.config.get_text_config()
    try:
        with torch.device("meta"):
            decoder = transformers.AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        raise _no_conversion(type(config).__name__) from error
    language = getattr(network.base_model, "language_model", None)
    if type(decoder.base_model) is not type(language):
        raise _no_conversion(type(language).__name__)
    setattr(decoder, decoder.base_model_prefix, language)
    decoder.set_output_embeddings(network.get_output_embeddings())
    decoder.config.architectures = [type(decoder).__name__]
    return decoder.eval()


def _host(source: Any, tokenizer: Any, name: str, options: LoadOptions) -> HookedModel:
    """Make the language model a ``HookedTransformer`` or a ``TransformerBridge``."""
    called = Path(name).name if is_folder(name) else name
    model = host_network(source, tokenizer, called, options)
    if model is None:
        raise _no_conversion(type(source).__name__)
    return model


def _noise(prepare: Preparation) -> tuple[Any, int | None]:
    """Input of the probe: an image of noise, or one second of noise and its rate."""
    generator = np.random.default_rng(0)
    if prepare.rate is not None:
        return generator.normal(0, 0.1, prepare.rate), prepare.rate
    require("PIL")
    from PIL import Image

    return Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)), None


@torch.inference_mode()
def _logits(model: HookedModel, encode: Encoder, probe: Any) -> Float[Tensor, "pos d_vocab"]:
    """Logits of the model for the probe, whose features it reads as soft tokens."""
    tokens, span = probe["input_ids"][0].tolist(), feature_span(probe, encode.config)
    soft = SoftTokens(encode.features(probe))
    marked = (*tokens[: span.start], SOFT_TOKEN, *tokens[span.stop :])
    with injecting_features(model, [Prompt(tokens=marked, soft=(soft,))]) as batch:
        return model(batch.tokens.to(model.cfg.device))[0]


def _not_found(name: str) -> SemanticHubError:
    """The error for a name or path without files."""
    return SemanticHubError(
        "load_multimodal",
        got=f"{name!r}, whose files are neither on disk nor reachable",
        expected="a local Hugging Face folder with a multimodal checkpoint and its processor, the "
        "name of one, or of a registered encoder",
        fix=f"Check the name and the network. Registered: {', '.join(ENCODERS) or 'none'}.",
    )


def _not_multimodal(name: str) -> SemanticHubError:
    """The error for a checkpoint without an encoder."""
    return SemanticHubError(
        "load_multimodal",
        got=f"{name!r}, which is no multimodal checkpoint of a known architecture",
        expected="one with a language model and an encoder of images or sounds",
        fix="Use load_model for models of text alone.",
    )


def _no_conversion(architecture: str) -> SemanticHubError:
    """The error for a language model that TransformerLens cannot convert."""
    return SemanticHubError(
        "load_multimodal",
        got=f"a language model ({architecture}) that TransformerLens has no conversion for",
        expected="a decoder that exists as a separate model, such as Llama or Qwen2",
        fix='Try backend="bridge", or load the whole checkpoint as a TransformerBridge.',
    )
