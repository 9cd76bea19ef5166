"""Load models without weight processing, by name or from a folder, with TransformerLens.

`semantic_hub.models.conversion` adds the folders that ``HookedTransformer`` cannot load by itself.
"""

import difflib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError

from semantic_hub.errors import (
    SemanticHubError,
    check_choice,
    check_kinds,
    is_file,
    is_folder,
    reading,
)
from semantic_hub.models.conventions import follow_checkpoint
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.models.registry import Registry

Backend = Literal["auto", "hooked", "bridge"]
"""``HookedTransformer``, ``TransformerBridge``, or the first of them that supports the model."""

DtypeName = Literal["auto", "float32", "bfloat16", "float16", "float64"]
DType = torch.dtype | DtypeName
"""Dtype of weights; ``"auto"`` is bfloat16 on CUDA and float32 elsewhere."""

DeviceMap = str | Mapping[str, str | int]
"""Where accelerate puts each module of a model: ``"auto"``, or its own choice for each."""


@dataclass(frozen=True)
class LoadOptions:
    """Keyword arguments of `semantic_hub.load_model`.

    Args:
        device: Device of the model; ``None`` leaves the choice to TransformerLens.
        dtype: Dtype of the weights.
        backend: Which of TransformerLens' classes it becomes.
        trust_remote_code: Whether code that comes with the model may run.
        revision: Branch, tag or commit of a repository.
        device_map: Devices of a model's modules, where it spans several.
        quantization_config: How transformers quantizes the weights as it reads them.
        adapter: Folder or repository of a PEFT adapter.
        gguf_file: Name of a GGUF file in the folder or repository.
        hf_model: A model of transformers that is loaded already.

    Raises:
        SemanticHubError: An unknown backend, ``"hooked"`` on TransformerLens 4 or with what only a
            bridge supports, or options that exclude each other.

    Example:
        >>> LoadOptions(device="cpu").backend
        'auto'
    """

    device: str | None = None
    dtype: torch.dtype = torch.float32
    backend: Backend = "auto"
    trust_remote_code: bool = False
    revision: str | None = None
    device_map: DeviceMap | None = None
    quantization_config: Any | None = None
    adapter: str | None = None
    gguf_file: str | None = None
    hf_model: Any | None = None

    def __post_init__(self) -> None:
        if self.backend not in ("auto", "hooked", "bridge"):
            raise SemanticHubError(
                "load_model",
                got=f"backend={self.backend!r}",
                expected='"auto", "hooked" or "bridge"',
                fix='Leave it at "auto".',
            )
        if self.backend == "hooked" and hooked_transformer_class() is None:
            raise SemanticHubError(
                "load_model",
                got='backend="hooked" with a TransformerLens that has no HookedTransformer',
                expected="TransformerLens 3.9, the last line with that class",
                fix='Use backend="bridge", or install "transformer-lens>=3.9,<4".',
            )
        for first, others in _EXCLUSIVE.items():
            excluded = {name: getattr(self, name) for name in others}
            both = [name for name, value in excluded.items() if value is not None]
            if getattr(self, first) is not None and both:
                raise SemanticHubError(
                    "load_model",
                    got=f"{first} with {both[0]}",
                    expected="one of them",
                    fix=_FIXES[first],
                )
        if self.backend == "hooked" and self._needs_bridge:
            raise SemanticHubError(
                "load_model",
                got='backend="hooked" with device_map, quantization_config or hf_model',
                expected="a TransformerBridge, which wraps such models as they are",
                fix='Leave backend at "auto".',
            )

    @property
    def compared_dtype(self) -> torch.dtype:
        """The dtype in which a conversion is compared with its source: float32, or float64."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def read_dtype(self) -> torch.dtype:
        """The dtype that weights are read in: that of the comparison where one may be made."""
        return self.compared_dtype if self.may_be_hooked else self.dtype

    @property
    def may_be_hooked(self) -> bool:
        """Whether the model may be loaded as a ``HookedTransformer``: allowed, and installed."""
        allowed = self.backend != "bridge" and not self._needs_bridge
        return allowed and hooked_transformer_class() is not None

    @property
    def fetching(self) -> dict[str, Any]:
        """The options that say which files are fetched, and whether their code may run."""
        trust = {"trust_remote_code": True} if self.trust_remote_code else {}
        return trust if self.revision is None else {**trust, "revision": self.revision}

    @property
    def sources(self) -> dict[str, Any]:
        """The options given that say which weights are read, and how; a name alone needs none."""
        names = ("revision", *_PLACED, "adapter", "gguf_file", "hf_model")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def _needs_bridge(self) -> bool:
        return any(getattr(self, name) is not None for name in (*_PLACED, "hf_model"))


_PLACED = ("device_map", "quantization_config")
"""Options of models whose weights a conversion would have to move or to restore."""

_EXCLUSIVE = {
    "hf_model": ("device", "revision", *_PLACED, "adapter", "gguf_file"),
    "device_map": ("device",),
    "quantization_config": ("adapter", "gguf_file"),
}
"""Option to those that cannot be given beside it."""

_FIXES = {
    "hf_model": "Load the model with transformers as you want it, and pass nothing but hf_model.",
    "device_map": 'Leave device out; device_map="cuda:0" is one device.',
    "quantization_config": "An adapter is merged into, and a GGUF file read as, weights of full "
    "precision: save them with transformers, and quantize that folder.",
}


_CHOSEN_BY_ACCELERATE = ("auto", "balanced", "balanced_low_0", "sequential")
"""Device maps that name no device."""


def default_dtype(
    dtype: DType, device: str | None, device_map: DeviceMap | None = None
) -> torch.dtype:
    """The dtype that weights are loaded in: for ``"auto"`` bfloat16 on CUDA and float32 elsewhere.

    Args:
        dtype: As for `semantic_hub.load_model`.
        device: As for `semantic_hub.load_model`.
        device_map: As for `semantic_hub.load_model`; a map with any GPU is on CUDA.

    Example:
        >>> default_dtype("auto", "cpu"), default_dtype("auto", "cuda:1")
        (torch.float32, torch.bfloat16)
    """
    from transformer_lens.utilities.devices import get_device

    if isinstance(dtype, torch.dtype):
        return dtype
    if isinstance(device_map, Mapping):
        places = [place for place in device_map.values() if place not in ("cpu", "disk")]
        device_map = str(places[0]) if places else "cpu"
    place = device if device_map in (None, *_CHOSEN_BY_ACCELERATE) else device_map
    place = place or str(get_device())
    return torch.bfloat16 if place.isdigit() or place.startswith("cuda") else torch.float32


MODELS: Registry[Callable[[LoadOptions], HookedModel]] = Registry("model")
"""Models that `semantic_hub.load_model` knows by name, beside those of TransformerLens."""


def load_options(
    operation: str,
    name_or_path: str | os.PathLike[str],
    device: str | torch.device | None,
    dtype: DType,
    backend: Backend,
    trust_remote_code: bool,
    *,
    device_map: DeviceMap | None = None,
    adapter: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    gguf_file: str | None = None,
    **others: Any,
) -> LoadOptions:
    """Check the arguments of `semantic_hub.load_model` and `load_multimodal`.

    Raises:
        SemanticHubError: One of a wrong kind, a dtype without gradients, a device that this
            machine does not have, or a folder with pipes or devices in it.
    """
    check_kinds(
        operation,
        name_or_path=(name_or_path, (str, os.PathLike)),
        device=(device, (str, torch.device, None)),
        dtype=(dtype, (torch.dtype, str)),
        trust_remote_code=(trust_remote_code, bool),
        device_map=(device_map, (str, Mapping, None)),
        adapter=(adapter, (str, os.PathLike, None)),
        revision=(revision, (str, None)),
        gguf_file=(gguf_file, (str, None)),
    )
    place = None if device is None else str(device)
    asked = str(dtype).removeprefix("torch.")
    check_choice(operation, "dtype", asked, get_args(DtypeName))
    if device is not None:
        _check_device(operation, device)
    _check_files(operation, Path(name_or_path))
    if asked == "auto" and str(name_or_path) in MODELS:
        asked = "float32"
    return LoadOptions(
        place,
        default_dtype("auto" if asked == "auto" else getattr(torch, asked), place, device_map),
        backend,
        trust_remote_code,
        revision=revision,
        device_map=device_map,
        adapter=None if adapter is None else str(adapter),
        gguf_file=gguf_file,
        **others,
    )


def _check_device(operation: str, device: str | torch.device) -> None:
    """Raise unless a tensor can be made on a device."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SemanticHubError(
            operation,
            got=f"device={str(device)!r} ({str(error).splitlines()[0]})",
            expected="a device that torch has here",
            fix='Leave it out, or give "cpu".',
        ) from None


def _check_files(operation: str, folder: Path) -> None:
    """Raise for a folder that holds a pipe, a socket or a device: reading one may never end."""
    if not is_folder(folder):
        return
    with file_errors(folder):
        special = [f for f in folder.iterdir() if f.exists() and not (f.is_file() or f.is_dir())]
    if special:
        raise SemanticHubError(
            operation,
            got=f"{special[0]}: no regular file",
            expected="a folder of regular files",
            fix="Remove it, or save the model again with save_pretrained.",
        )


def hooked_transformer_class() -> Any | None:
    """The class ``HookedTransformer``, or ``None`` on TransformerLens 4.x, which has none."""
    try:
        from transformer_lens import HookedTransformer
    except ImportError:
        return None
    return HookedTransformer


def bridge_class() -> Any:
    """The class ``TransformerBridge``."""
    from transformer_lens.model_bridge import TransformerBridge

    return TransformerBridge


def build_hooked_transformer(config: Any, tokenizer: Any, **options: Any) -> Any:
    """Build a ``HookedTransformer``, with its deprecation warning silenced.

    Args:
        config: Its ``HookedTransformerConfig``.
        tokenizer: Its tokenizer, or ``None``.
        options: Further arguments of the class.
    """
    build = hooked_transformer_class()
    assert build is not None
    with _without_notice():
        return build(config, tokenizer, **options)


def is_checkpoint_folder(path: Path) -> bool:
    """Whether ``path`` is a folder in Hugging Face layout (has a ``config.json``)."""
    return is_file(path / "config.json")


def official_name(name: str) -> str | None:
    """Hugging Face repository of a name or alias in TransformerLens; ``None`` if it has none."""
    from transformer_lens import loading_from_pretrained as loading

    return loading.make_model_alias_map().get(name.lower())


def hooked_knows_name(name: str, trust_remote_code: bool) -> bool:
    """Whether ``HookedTransformer`` can load the name, given whether remote code is trusted."""
    from transformer_lens import loading_from_pretrained as loading

    repository, remote = official_name(name), loading.NEED_REMOTE_CODE_MODELS
    return repository is not None and (trust_remote_code or not repository.startswith(remote))


def load_hooked_name(name: str, options: LoadOptions) -> HookedModel:
    """Load a ``HookedTransformer`` by one of TransformerLens' official names.

    Raises:
        SemanticHubError: If the name is unknown, needs remote code, or cannot be fetched.
    """
    if official_name(name) is None:
        raise unknown_name(name)
    if not hooked_knows_name(name, options.trust_remote_code):
        raise SemanticHubError(
            "load_model",
            got=f"{name!r}, which runs code from its repository",
            expected="trust_remote_code=True for such a model",
            fix='Pass trust_remote_code=True if you trust that code, or use backend="bridge".',
        )
    build = hooked_transformer_class()
    assert build is not None
    with file_errors(name), _without_notice():
        model = build.from_pretrained_no_processing(
            name, device=options.device, dtype=options.dtype, **options.fetching
        )
        repository = model.cfg.tokenizer_name
        follow_checkpoint(
            model, own_tokenizer(repository, **options.fetching), _generation_config(repository)
        )
    return model


def load_bridge(name_or_folder: str, options: LoadOptions, **loaded: Any) -> HookedModel:
    """Load a ``TransformerBridge`` by name or from a local folder.

    Args:
        name_or_folder: Where the files are.
        options: How it is loaded; its `revision` and `device_map` go to TransformerLens.
        loaded: ``hf_model`` and ``tokenizer``, if they are read already; the model stays in its
            own dtype on its own devices.

    Raises:
        SemanticHubError: If the architecture is unsupported, or files cannot be fetched or read.
    """
    place = {"device": options.device, "dtype": options.dtype}
    if (network := loaded.get("hf_model")) is not None:
        first = first_parameter(network)  # of its own: the bridge would name the best device
        place = {"device": first.device, "dtype": first.dtype}
    elif options.device_map is not None:
        place = {"device_map": options.device_map, "dtype": options.dtype}
    place |= {"trust_remote_code": options.trust_remote_code, **options.fetching}
    with file_errors(name_or_folder):
        try:
            model = bridge_class().boot_transformers(name_or_folder, **place, **loaded)
        except ValueError as error:
            raise SemanticHubError(
                "load_model",
                got=f"{name_or_folder!r}, which TransformerBridge refuses ({error})",
                expected="a model that TransformerBridge supports",
                fix="See transformer_lens.supported_models.",
            ) from error
        own = loaded.get("tokenizer") or own_tokenizer(name_or_folder, **options.fetching)
    network = getattr(model, "original_model", None)
    follow_checkpoint(model, own, getattr(network, "generation_config", None))
    return model.eval()


def own_tokenizer(name_or_folder: str, **options: Any) -> Any | None:
    """A checkpoint's tokenizer as transformers loads it, or ``None`` if it has none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name_or_folder, **options)
    except (OSError, ValueError):
        return None


def _generation_config(repository: str) -> Any | None:
    """The generation settings of a repository, or ``None`` if it has none."""
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(repository)
    except OSError:
        return None


def folder_tokenizer(folder: Path, trust_remote_code: bool) -> Any | None:
    """The tokenizer in a folder, or ``None`` if it has none."""
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return None
    return AutoTokenizer.from_pretrained(
        folder, trust_remote_code=trust_remote_code, local_files_only=True
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The fields of a folder's ``config.json``.

    Raises:
        SemanticHubError: No such file, or one that names no architecture.
    """
    file = folder / "config.json"
    with reading(
        "load_model",
        file,
        expected='JSON with "architectures": ["..."]',
        fix="Save the model again with save_pretrained.",
    ):
        fields = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(fields["architectures"][0], str):
            raise TypeError("no name of an architecture")
    return fields


def is_decoder(folder: Path) -> bool:
    """Whether the architecture in a folder's ``config.json`` is a causal language model."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return read_config(folder)["architectures"][0] in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()


@contextmanager
def file_errors(name_or_folder: str | os.PathLike[str]) -> Iterator[None]:
    """Context that turns errors on reading a model's files into a `SemanticHubError`.

    Args:
        name_or_folder: The model that is being read: a local folder or a name.

    Raises:
        SemanticHubError: For a folder, in place of any error, it says that files are missing or
            broken; for a name, in place of ``OSError`` and ``SafetensorError``, that they cannot be
            fetched.
    """
    try:
        yield
    except SemanticHubError:
        raise
    except Exception as error:
        if is_folder(name_or_folder):
            raise unreadable(str(name_or_folder)) from error
        if isinstance(error, OSError | SafetensorError):
            raise not_fetched(str(name_or_folder)) from error
        raise


def unreadable(folder: str) -> SemanticHubError:
    """The error for a folder whose files are missing or broken."""
    return SemanticHubError(
        "load_model",
        got=f"{folder}, whose weights or other files are missing or broken",
        expected="a complete folder in Hugging Face layout",
        fix="Save the model again with save_pretrained.",
    )


def not_fetched(name: str) -> SemanticHubError:
    """The error for a name whose files are neither cached nor reachable."""
    unknown = unknown_name(name)
    return SemanticHubError(
        "load_model",
        got=f"{name!r}, whose files are neither on disk nor reachable",
        expected=unknown.expected,
        fix=f"Check the name and the network, or pass a local folder. {unknown.fix}",
    )


def unknown_name(name: str) -> SemanticHubError:
    """The error for a name that is no folder, no registered model and no official name."""
    from transformer_lens.supported_models import MODEL_ALIASES, OFFICIAL_MODEL_NAMES

    aliases = [alias for names in MODEL_ALIASES.values() for alias in names]
    known = [*MODELS, *OFFICIAL_MODEL_NAMES, *aliases]
    close = difflib.get_close_matches(name, known, n=4, cutoff=0.5)
    return SemanticHubError(
        "load_model",
        got=f"the unknown name {name!r}",
        expected="a bundled or registered model, a local Hugging Face folder, or a TransformerLens "
        "model name",
        fix=f"Close names: {', '.join(close)}." if close else "See transformer_lens' model list.",
    )


@contextmanager
def _without_notice() -> Iterator[None]:
    """Context that silences the deprecation warning of ``HookedTransformer``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HookedTransformer.* is deprecated", DeprecationWarning)
        yield
