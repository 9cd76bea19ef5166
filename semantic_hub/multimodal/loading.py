"""Multimodal checkpoints: the language model as any other, and what makes soft tokens for it.

A checkpoint such as LLaVA or Qwen2-Audio is an encoder, a projector and a language model. The last
becomes a ``HookedTransformer`` (or a ``TransformerBridge``) of its own, the others an `Encoder`
that turns an image or a waveform into features for a `Prompt`.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor

from semantic_hub.activations.features import feeding
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import (
    hooked_transformer_class,
    load_bridge,
    not_fetched,
    unreadable,
)
from semantic_hub.models.conversion import convert_network, same_logits
from semantic_hub.models.loading import Backend, check_backend, load_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.multimodal.encoder import Encoder, Preparation, feature_span
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT_TOKEN, SoftTokens
from semantic_hub.zoo import hub_mini_path
from semantic_hub.zoo.senses import Senses, has_senses

_AFTER = " 1 2 3"
"""Text behind the probe: what the language model makes of the features must be seen there too."""


def load_multimodal(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    backend: Backend = "auto",
    trust_remote_code: bool = False,
) -> tuple[HookedModel, Encoder | Senses]:
    """The language model of a multimodal checkpoint, unprocessed, and the encoder that feeds it.

    Both are checked together: on a probe (an image or a sound of noise, and text), the logits must
    be those of the checkpoint's own network. So architectures are refused whose language models
    treat features otherwise than tokens (positions in two dimensions, attention in both directions,
    features added to deeper layers).

    Args:
        name_or_path: ``"hub-mini"``, a local Hugging Face folder with the checkpoint's processor,
            or a name.
        device: Where both go; None leaves the choice to TransformerLens.
        dtype: Of the weights.
        backend: As for `semantic_hub.load_model`. ``"auto"`` is a ``HookedTransformer`` where
            TransformerLens converts the language model, else a ``TransformerBridge`` around it.
        trust_remote_code: Whether code that comes with the model may run.

    Returns:
        The model, and ``encode(image)`` or ``encode(waveform, rate)``.

    Raises:
        SemanticHubError: No such files; not a multimodal checkpoint; a language model that
            TransformerLens has no conversion for; logits that differ.

    Example:
        >>> from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions
        >>> model, encode = sh.load_multimodal("hub-mini")  # or "llava-hf/llava-1.5-7b-hf"
        >>> span = SoftTokens(encode(sh.spokes.vision.one_color("red").image))
        >>> prompt = sh.Prompt(f"{SOFT} colour:", soft=(span,))
        >>> sh.residual_stream(model, [prompt], SoftPositions()).shape
        torch.Size([1, 9, 96])
    """
    check_backend(backend)
    place, name = None if device is None else str(device), str(name_or_path)
    if name == "hub-mini" or has_senses(Path(name)):
        model = load_model(name, device=device, dtype=dtype, backend=backend)
        return model, Senses.load(hub_mini_path() if name == "hub-mini" else Path(name))
    parts = _read(name, dtype, trust_remote_code)
    prepare = Preparation(parts.processor, parts.network.config)
    probe = prepare(*_noise(prepare), after=_AFTER)
    with torch.inference_mode():
        expected = parts.network(**probe.to(dtype)).logits[0]
    source = _language_network(parts.network)
    encode = Encoder(parts.network.base_model, prepare)
    model = _host(source, parts.processor.tokenizer, name, place, dtype, backend)
    if not same_logits(_logits(model, encode, probe), expected, dtype):
        raise SemanticHubError(
            "load_multimodal",
            got=f"{name!r}, whose language model reads features otherwise than tokens",
            expected="features in place of embeddings, one position after the other",
            fix="Load it as a TransformerBridge, and read it with its own inputs.",
        )
    return model, encode.to(model.cfg.device)


class _Parts(NamedTuple):
    network: Any
    processor: Any


def _read(name: str, dtype: torch.dtype, trust_remote_code: bool) -> _Parts:
    """The whole network, in evaluation mode on the CPU, and its processor."""
    import transformers

    options = {"trust_remote_code": trust_remote_code}
    try:
        config = transformers.AutoConfig.from_pretrained(name, **options)
        architecture = getattr(transformers, (config.architectures or ["none"])[0], None)
        if architecture is None or not hasattr(config, "text_config"):
            raise _not_multimodal(name)
        network = architecture.from_pretrained(name, dtype=dtype, attn_implementation="eager")
        processor = transformers.AutoProcessor.from_pretrained(name, **options)
    except (OSError, SafetensorError) as error:
        local = Path(name).is_dir()
        raise (unreadable if local else not_fetched)(name) from error
    if not hasattr(processor, "tokenizer"):
        raise unreadable(name)
    return _Parts(network.eval(), processor)


def _language_network(network: Any) -> Any:
    """The language model by itself, as transformers would load it; it shares the weights."""
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


def _host(
    source: Any,
    tokenizer: Any,
    name: str,
    device: str | None,
    dtype: torch.dtype,
    backend: Backend,
) -> Any:
    """The language model in a class of TransformerLens."""
    if backend != "bridge" and hooked_transformer_class() is not None:
        model = convert_network(source, tokenizer, Path(name).name, device, dtype)
        if model is not None:
            return model
    if backend == "hooked":
        raise _no_conversion(type(source).__name__)
    read = {"hf_model": source, "tokenizer": tokenizer}
    return load_bridge(name, device, dtype, trust_remote_code=False, **read).eval()


def _noise(prepare: Preparation) -> tuple[Any, int | None]:
    """A probe: an image of noise, or a second of it."""
    generator = np.random.default_rng(0)
    if prepare.rate is not None:
        return generator.normal(0, 0.1, prepare.rate), prepare.rate
    from PIL import Image

    return Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)), None


@torch.inference_mode()
def _logits(model: HookedModel, encode: Encoder, probe: Any) -> Float[Tensor, "pos d_vocab"]:
    """Of the same probe, its features as soft tokens."""
    tokens, span = probe["input_ids"][0].tolist(), feature_span(probe, encode.config)
    soft = SoftTokens(encode.of(probe))
    marked = (*tokens[: span.start], SOFT_TOKEN, *tokens[span.stop :])
    with feeding(model, [Prompt(tokens=marked, soft=(soft,))]) as batch:
        return model(batch.tokens.to(model.cfg.device))[0]


def _not_multimodal(name: str) -> SemanticHubError:
    return SemanticHubError(
        "load_multimodal",
        got=f"{name!r}, which is no multimodal checkpoint of a known architecture",
        expected="one with a language model and an encoder of images or sounds",
        fix="Use load_model for models of text alone.",
    )


def _no_conversion(architecture: str) -> SemanticHubError:
    return SemanticHubError(
        "load_multimodal",
        got=f"a language model ({architecture}) that TransformerLens has no conversion for",
        expected="one that is a decoder of its own, such as Llama or Qwen2",
        fix='Try backend="bridge", or load the whole checkpoint as a TransformerBridge.',
    )
