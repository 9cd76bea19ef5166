"""Cache of language tables on disk, one folder for each tokenizer and set of languages."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from warnings import warn

from transformers import PreTrainedTokenizerBase

from semantic_hub.errors import SemanticHubError, SemanticHubWarning, expanded, require
from semantic_hub.lenses.mass.table import LanguageTable, build_language_table
from semantic_hub.lenses.mass.word_lists import WORD_LIST, check_languages
from semantic_hub.results.files import read_record, write_record

CACHE_VARIABLE = "SEMANTIC_HUB_CACHE"
"""Environment variable that names another cache folder."""

_KIND = "LanguageTable"
_RULES = 1  # raise it when the way tables are counted changes
_building = Lock()


def language_table(
    tokenizer: PreTrainedTokenizerBase,
    languages: Sequence[str],
    d_vocab: int,
    *,
    cache_dir: str | Path | None = None,
) -> LanguageTable:
    """Load the language table of a tokenizer from the cache, or build and store it.

    The key of a table is the *content* of the tokenizer, the languages, the version of wordfreq
    and the size of the vocabulary. A damaged table is built again. Processes and threads may run
    this at the same time: files are moved into place whole, and files of one key have the same
    content. A folder that cannot be written gives a warning.

    Args:
        tokenizer: The model's tokenizer.
        languages: At least two codes of `semantic_hub.lenses.mass.word_lists.known_languages`.
        d_vocab: Length of the model's vocabulary.
        cache_dir: Folder of the cache; None for `cache_folder`.

    Raises:
        SemanticHubError: An unknown or repeated language, or fewer than two.

    Example:
        >>> table = language_table(model.tokenizer, ["en", "es"], 4096, cache_dir="tables")
        >>> table.languages
        ('en', 'es')
    """
    check_languages(languages, "language_table")
    key = _key(tokenizer, languages, d_vocab)
    folder = Path(cache_dir or cache_folder()) / "language-tables" / _digest(_json(key))[:32]
    with _building:
        return _read(folder, key) or _build(tokenizer, languages, d_vocab, folder, key)


def cache_folder() -> Path:
    """Folder of ``SEMANTIC_HUB_CACHE``, or else the platform's folder for caches."""
    require("platformdirs")
    from platformdirs import user_cache_path

    chosen = os.environ.get(CACHE_VARIABLE)
    return expanded(chosen) if chosen else user_cache_path("semantic-hub", appauthor=False)


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of the content of a tokenizer, the same wherever it was loaded from.

    Padding and truncation, which calls change in a tokenizer, are left out.

    Example:
        >>> tokenizer_digest(model.tokenizer) == tokenizer_digest(model.tokenizer)
        True
    """
    special = sorted(tokenizer.all_special_ids)
    return _digest(_json([_content(tokenizer), special]))


def _key(
    tokenizer: PreTrainedTokenizerBase, languages: Sequence[str], d_vocab: int
) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "tokenizer": tokenizer_digest(tokenizer),
        "languages": list(languages),
        "d_vocab": d_vocab,
        "wordfreq": version("wordfreq"),
        "word_list": WORD_LIST,
        "rules": _RULES,
    }


def _content(tokenizer: PreTrainedTokenizerBase) -> object:
    """JSON description of a fast tokenizer, or digests of the files of any other one."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return _files(tokenizer)
    description: dict[str, Any] = json.loads(backend.to_str())
    return {
        name: part for name, part in description.items() if name not in ("padding", "truncation")
    }


def _files(tokenizer: PreTrainedTokenizerBase) -> Mapping[str, str]:
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _read(folder: Path, key: Mapping[str, Any]) -> LanguageTable | None:
    try:
        record, arrays = read_record(folder, _KIND)
    except SemanticHubError:
        return None
    if record.get("key") != key or set(arrays) != {"frequency", "kind"}:
        return None
    return LanguageTable(tuple(key["languages"]), **arrays)


def _build(
    tokenizer: PreTrainedTokenizerBase,
    languages: Sequence[str],
    d_vocab: int,
    folder: Path,
    key: Mapping[str, Any],
) -> LanguageTable:
    table = build_language_table(tokenizer, languages, d_vocab)
    arrays = {"frequency": table.frequency, "kind": table.kind}
    try:
        write_record(folder, {"kind": _KIND, "key": key}, arrays, "language_table")
    except SemanticHubError as error:
        warn(
            f"The language table could not be kept ({error.got}), so it will be "
            f"built again next time. Set {CACHE_VARIABLE} to a folder that can be written.",
            SemanticHubWarning,
            stacklevel=3,
        )
    return table


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
