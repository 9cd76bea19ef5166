"""Reading unprocessed models from disk or by name, through TransformerLens' own converters.

What `semantic_hub.models.conversion` turns into a ``HookedTransformer`` is read here too.
"""

import difflib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from semantic_hub.errors import SemanticHubError

UNPROCESSED = {
    "fold_ln": False,
    "center_writing_weights": False,
    "center_unembed": False,
    "fold_value_biases": False,
}
"""The arguments that make ``HookedTransformer`` keep weights as they are."""


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
    """A ``HookedTransformer``, without the notice that 4.x will drop the class."""
    build = hooked_transformer_class()
    assert build is not None
    with _without_notice():
        return build(config, tokenizer, **options)


def is_checkpoint_folder(path: Path) -> bool:
    """Whether ``path`` is a folder in Hugging Face layout (has a ``config.json``)."""
    return (path / "config.json").is_file()


def hooked_knows_name(name: str, trust_remote_code: bool) -> bool:
    """Whether ``HookedTransformer.from_pretrained`` knows the name and needs no remote code."""
    from transformer_lens import loading_from_pretrained as loading

    known, coded = official_name(name), loading.NEED_REMOTE_CODE_MODELS
    return known is not None and (trust_remote_code or not known.startswith(coded))


def official_name(name: str) -> str | None:
    """The hub repository of a name that ``HookedTransformer`` knows, or ``None``."""
    from transformer_lens import loading_from_pretrained as loading

    return loading.make_model_alias_map().get(name.lower())


def load_hooked_name(
    name: str, device: str | None, dtype: torch.dtype, trust_remote_code: bool
) -> Any:
    """A ``HookedTransformer`` by one of TransformerLens' official names.

    Raises:
        SemanticHubError: If the name is unknown, needs remote code, or cannot be fetched.
    """
    if official_name(name) is None:
        raise unknown_name(name)
    if not hooked_knows_name(name, trust_remote_code):
        raise SemanticHubError(
            "load_model",
            got=f"{name!r}, which runs code from its repository",
            expected="trust_remote_code=True for such a model",
            fix='Pass trust_remote_code=True if you trust that code, or use backend="bridge".',
        )
    remote = {"trust_remote_code": True} if trust_remote_code else {}
    build = hooked_transformer_class()
    assert build is not None
    try:
        with _without_notice():
            return build.from_pretrained_no_processing(name, device=device, dtype=dtype, **remote)
    except OSError as error:
        raise not_fetched(name) from error


def load_bridge(
    name_or_folder: str,
    device: str | None,
    dtype: torch.dtype,
    trust_remote_code: bool,
    **loaded: Any,
) -> Any:
    """A ``TransformerBridge`` by name or from a local folder.

    Args:
        name_or_folder: Where the files are.
        device: Where it goes.
        dtype: Of the weights.
        trust_remote_code: Whether code that comes with the model may run.
        loaded: ``hf_model`` and ``tokenizer``, if they are read already.

    Raises:
        SemanticHubError: If the architecture is unsupported, or files cannot be fetched or read.
    """
    try:
        return bridge_class().boot_transformers(
            name_or_folder,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            **loaded,
        )
    except (OSError, SafetensorError) as error:
        local = Path(name_or_folder).is_dir()
        raise (unreadable if local else not_fetched)(name_or_folder) from error
    except ValueError as error:
        raise SemanticHubError(
            "load_model",
            got=f"{name_or_folder!r}, which TransformerBridge refuses ({error})",
            expected="a model that TransformerBridge supports",
            fix="See transformer_lens.supported_models.",
        ) from error


def unknown_name(name: str) -> SemanticHubError:
    """The error for a name that is no folder, no bundled model and no official name."""
    from transformer_lens.supported_models import MODEL_ALIASES, OFFICIAL_MODEL_NAMES

    aliases = [alias for known in MODEL_ALIASES.values() for alias in known]
    close = difflib.get_close_matches(name, [*OFFICIAL_MODEL_NAMES, *aliases], n=4, cutoff=0.5)
    return SemanticHubError(
        "load_model",
        got=f"the unknown name {name!r}",
        expected="a bundled model, a local Hugging Face folder, or a TransformerLens model name",
        fix=f"Close names: {', '.join(close)}." if close else "See transformer_lens' model list.",
    )


@contextmanager
def _without_notice() -> Iterator[None]:
    """Silences the one notice that TransformerLens 4 will drop the class."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HookedTransformer.* is deprecated", DeprecationWarning)
        yield


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
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        fields["architectures"][0]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SemanticHubError(
            "load_model",
            got=f"{file}, without a readable list of architectures",
            expected='JSON with "architectures": ["..."]',
            fix="Save the model again with save_pretrained.",
        ) from error
    return fields


def is_decoder(folder: Path) -> bool:
    """Whether a folder holds a decoder, as transformers counts them."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return read_config(folder)["architectures"][0] in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()


def unreadable(folder: str | Path) -> SemanticHubError:
    """The error for a folder without the files that it should have."""
    return SemanticHubError(
        "load_model",
        got=f"{folder}, whose weights or other files are missing or broken",
        expected="a complete folder in Hugging Face layout",
        fix="Save the model again with save_pretrained.",
    )


def not_fetched(name: str) -> SemanticHubError:
    """The error for a name whose files are not there."""
    unknown = unknown_name(name)
    return SemanticHubError(
        "load_model",
        got=f"{name!r}, whose files are neither on disk nor reachable",
        expected=unknown.expected,
        fix=f"Check the name and the network, or pass a local folder. {unknown.fix}",
    )
