"""Reading unprocessed models from disk or by name, through TransformerLens' own converters.

TransformerLens 3.9 refuses a local folder in ``HookedTransformer.from_pretrained``, but the three
steps it is made of take one: the configuration, the converted weights, and the class itself.
"""

import difflib
import json
import tempfile
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


def convert_folder(
    folder: Path, device: str | None, dtype: torch.dtype, trust_remote_code: bool
) -> Any | None:
    """A ``HookedTransformer`` from a local Hugging Face folder, checked against transformers.

    Returns:
        The model, or ``None`` where TransformerLens has no converter for the architecture, or one
        that does not reproduce the logits of this checkpoint (such as for an unusual rope scaling).

    Raises:
        SemanticHubError: If ``config.json``, the weights or the tokenizer cannot be read.
    """
    from transformers import AutoModelForCausalLM

    if not _is_decoder(folder) or (config := _folder_config(folder, device, dtype)) is None:
        return None
    try:
        source = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=trust_remote_code, local_files_only=True
        ).eval()
        tokenizer = _folder_tokenizer(folder, trust_remote_code)
    except (OSError, SafetensorError) as error:
        raise _unreadable(folder) from error
    model = build_hooked_transformer(config, tokenizer, move_to_device=False)
    if not _take_weights(model, source, folder, dtype):
        return None
    model.move_model_modules_to_device()
    return model.eval() if _same_logits(model, source, dtype) else None


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
        raise _not_fetched(name) from error


def load_bridge(
    name_or_folder: str, device: str | None, dtype: torch.dtype, trust_remote_code: bool
) -> Any:
    """A ``TransformerBridge`` by name or from a local folder.

    Raises:
        SemanticHubError: If the architecture is unsupported, or files cannot be fetched or read.
    """
    try:
        return bridge_class().boot_transformers(
            name_or_folder, device=device, dtype=dtype, trust_remote_code=trust_remote_code
        )
    except (OSError, SafetensorError) as error:
        local = Path(name_or_folder).is_dir()
        raise (_unreadable if local else _not_fetched)(name_or_folder) from error
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


def _folder_config(folder: Path, device: str | None, dtype: torch.dtype) -> Any | None:
    """TransformerLens' configuration for the folder, or ``None`` if it has no rule for it.

    TransformerLens takes the architecture from the *path* where that holds a word like "llama",
    so it is shown the configuration in a folder whose name says nothing. GPT-2 files saved by
    transformers 5 lack the older name of the context length, which it asks for.
    """
    from transformer_lens import loading_from_pretrained as loading

    fields = _read_config(folder)
    if "n_positions" in fields:
        fields = {"n_ctx": fields["n_positions"], **fields}
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as neutral:
        Path(neutral, "config.json").write_text(json.dumps(fields), encoding="utf-8")
        try:
            config = loading.get_pretrained_model_config(neutral, device=device, dtype=dtype)
        except (NotImplementedError, AttributeError):
            return None  # no rule for it, or one that asks for a field this file lacks
    config.model_name = folder.resolve().name
    config.tokenizer_name = None
    return config


def _take_weights(model: Any, source: Any, folder: Path, dtype: torch.dtype) -> bool:
    """Put the source's converted weights into the model; False if their shapes do not match."""
    from transformer_lens import loading_from_pretrained as loading

    path = str(folder.resolve())
    weights = loading.get_pretrained_state_dict(path, model.cfg, source, dtype=dtype)
    try:
        model.load_and_process_state_dict(weights, **UNPROCESSED)
    except RuntimeError:
        return False
    return True


@torch.inference_mode()
def _same_logits(model: Any, source: Any, dtype: torch.dtype) -> bool:
    """Whether the converted model's logits on a fixed probe are those of its source."""
    probe = torch.arange(min(64, model.cfg.n_ctx))[None] * 7 % model.cfg.d_vocab
    expected = source(probe).logits.float()
    got = model(probe.to(model.cfg.device)).cpu().float()
    tolerance = 1e-3 if dtype in (torch.float32, torch.float64) else 0.1
    return bool((got - expected).norm() <= tolerance * expected.norm())


def _folder_tokenizer(folder: Path, trust_remote_code: bool) -> Any | None:
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return None
    return AutoTokenizer.from_pretrained(
        folder, trust_remote_code=trust_remote_code, local_files_only=True
    )


def _read_config(folder: Path) -> dict[str, Any]:
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


def _is_decoder(folder: Path) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return _read_config(folder)["architectures"][0] in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()


def _unreadable(folder: str | Path) -> SemanticHubError:
    return SemanticHubError(
        "load_model",
        got=f"{folder}, whose weights or other files are missing or broken",
        expected="a complete folder in Hugging Face layout",
        fix="Save the model again with save_pretrained.",
    )


def _not_fetched(name: str) -> SemanticHubError:
    unknown = unknown_name(name)
    return SemanticHubError(
        "load_model",
        got=f"{name!r}, whose files are neither on disk nor reachable",
        expected=unknown.expected,
        fix=f"Check the name and the network, or pass a local folder. {unknown.fix}",
    )
