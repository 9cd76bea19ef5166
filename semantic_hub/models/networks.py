"""Read what TransformerLens cannot load by name: GGUF files, adapters, training checkpoints.

transformers reads the network, PEFT merges the adapter, and a GGUF file is dequantized: what
TransformerLens then converts or wraps is an ordinary decoder in memory.
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from semantic_hub.errors import SemanticHubError, expanded, is_file, is_folder, reading, require
from semantic_hub.models.checkpoints import (
    LoadOptions,
    file_errors,
    is_checkpoint_folder,
    own_tokenizer,
)
from semantic_hub.models.gguf_files import gguf_quantization, is_gguf, only_gguf

_ADAPTER_CONFIG = "adapter_config.json"


class Place(NamedTuple):
    """Where a model's files are: its name or folder, and options with the file or adapter in it."""

    name: str
    options: LoadOptions


@dataclass(frozen=True)
class Network:
    """A decoder of transformers, before TransformerLens converts or wraps it.

    Args:
        decoder: In evaluation mode.
        tokenizer: Its tokenizer, if it has one.
        name: Name of the model.
        quantization: How the file's weights are quantized, for the manifest; None if they are not.
    """

    decoder: Any
    tokenizer: Any | None
    name: str
    quantization: dict[str, Any] | None = None


def find_place(name: str, options: LoadOptions) -> Place:
    """Find out what a path is: a GGUF file, a folder with one, or the folder of an adapter.

    Args:
        name: What `semantic_hub.load_model` was given.
        options: Its options.

    Returns:
        The folder of a GGUF file, with the file's name among the options; the base model of an
        adapter, with the adapter's folder; anything else as it is.

    Raises:
        SemanticHubError: Several GGUF files; an adapter that names no base model; a revision of a
            local folder.
    """
    path = expanded(name)
    if is_gguf(path) and is_file(path) and options.gguf_file is None:
        name, options = str(path.parent), replace(options, gguf_file=path.name)
    elif is_folder(path) and not is_checkpoint_folder(path):
        if is_file(path / _ADAPTER_CONFIG) and options.adapter is None:
            return find_place(_base_of(path), replace(options, adapter=str(path)))
        if options.gguf_file is None:
            options = replace(options, gguf_file=only_gguf(path))
    if options.revision is not None and is_folder(expanded(name)):
        raise SemanticHubError(
            "load_model",
            got=f"revision={options.revision!r} of the local folder {name}",
            expected="the name of a repository, whose revisions are on the Hugging Face hub",
            fix="Leave revision out, or pass the repository's name.",
        )
    return Place(name, options)


@contextmanager
def read_network(name: str, options: LoadOptions) -> Iterator[Network]:
    """Context with the decoder that name and options say, as transformers reads it.

    Args:
        name: Folder or repository of the weights, as `find_place` found it.
        options: How it is read. A decoder that may be converted is on the CPU, in
            `LoadOptions.compared_dtype`.

    Yields:
        The network. TransformerLens reads a GGUF file's tokenizer from files that are there inside
        the context only.

    Raises:
        SemanticHubError: The files cannot be read, or an adapter does not fit or cannot be merged.
    """
    if options.gguf_file is not None:
        with _read_gguf(name, options, options.gguf_file) as network:
            yield network if options.adapter is None else _merged(network, options.adapter)
        return
    folder = expanded(name)
    with file_errors(name):
        tokenizer = own_tokenizer(name, **options.fetching)
        if options.quantization_config is None:
            decoder = _read_decoder(name, options)
        else:
            decoder = _quantized(name, options, options.quantization_config)
    called = folder.resolve().name if is_folder(folder) else name
    network = Network(decoder, tokenizer, called)
    yield network if options.adapter is None else _merged(network, options.adapter)


@contextmanager
def _read_gguf(name: str, options: LoadOptions, file: str) -> Iterator[Network]:
    """Context with the dequantized decoder of a GGUF file, in a folder or a repository."""
    require("gguf")
    from transformers import AutoTokenizer

    with TemporaryDirectory() as saved:
        with _reader_errors(
            f"{name}/{file}",
            expected="a GGUF file of a decoder that transformers can read",
            fix="See transformers' list of architectures with GGUF, or pass a Hugging Face folder.",
        ):
            # TransformerLens reads tokenizers again, from where they came, and knows no GGUF files
            place = {"gguf_file": file, **options.fetching}
            AutoTokenizer.from_pretrained(name, **place).save_pretrained(saved)
            decoder = _read_decoder(name, options, gguf_file=file)
            decoder.hf_quantizer = None
            del decoder.config.quantization_config
            path = _local_file(name, options, file)
            found = {"quant_method": "gguf", "file": path.name, "type": gguf_quantization(path)}
            network = Network(decoder, own_tokenizer(saved), path.stem, found)
        yield network


def _read_decoder(name: str, options: LoadOptions, **how: Any) -> Any:
    """The decoder of a folder or repository, in evaluation mode."""
    from transformers import AutoModelForCausalLM

    place = {} if options.device_map is None else {"device_map": options.device_map}
    decoder = AutoModelForCausalLM.from_pretrained(
        name,
        dtype=options.read_dtype,
        attn_implementation="eager",
        **place,
        **how,
        **options.fetching,
    )
    decoder.config.architectures = [type(decoder).__name__]  # a GGUF file names none
    return decoder.eval()


def _quantized(name: str, options: LoadOptions, wanted: Any) -> Any:
    """The decoder of a folder or repository, quantized as it is read."""
    with _reader_errors(
        f"{name} with a {type(wanted).__name__} as quantization_config",
        expected="weights and a device that this quantization supports, with its package installed",
        fix="See transformers' page on this method of quantization.",
    ):
        return _read_decoder(name, options, quantization_config=wanted)


def _merged(network: Network, adapter: str) -> Network:
    """The network with an adapter merged into its weights."""
    require("peft")
    import peft

    with (
        warnings.catch_warnings(),
        _reader_errors(
            f"the adapter {adapter} for {network.name}",
            expected="a PEFT adapter of this model that can be merged into it, such as LoRA",
            fix="Pass the model that the adapter was trained on.",
        ),
    ):
        warnings.filterwarnings("ignore", category=FutureWarning)  # PEFT's use of transformers
        decoder = peft.PeftModel.from_pretrained(network.decoder, adapter).merge_and_unload()
    return replace(network, decoder=decoder, tokenizer=own_tokenizer(adapter) or network.tokenizer)


def _base_of(folder: Path) -> str:
    """Name or path of the base model that an adapter's configuration names."""
    file = folder / _ADAPTER_CONFIG
    with reading(
        "load_model",
        file,
        expected='JSON with "base_model_name_or_path"',
        fix="Pass the base model, and this folder as adapter=.",
    ):
        base = json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"]
        if not isinstance(base, str) or Path(base).resolve() == folder.resolve():
            raise TypeError(f"the base model {base!r}")
    return base


def _local_file(name: str, options: LoadOptions, file: str) -> Path:
    """The path of a file in a folder, or in the cache of a repository that was just read."""
    from huggingface_hub import try_to_load_from_cache

    folder = expanded(name)
    if is_folder(folder):
        return folder / file
    return Path(str(try_to_load_from_cache(name, file, revision=options.revision)))


@contextmanager
def _reader_errors(got: str, expected: str, fix: str) -> Iterator[None]:
    """Context in which any error of transformers, gguf or PEFT becomes the package's."""
    try:
        yield
    except SemanticHubError:
        raise
    except Exception as error:
        reason = f"{got}: {type(error).__name__}, {error}"
        raise SemanticHubError("load_model", got=reason, expected=expected, fix=fix) from error
