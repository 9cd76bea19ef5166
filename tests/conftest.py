"""Fixtures that several test files share: folders of tiny models, a tokenizer, public data."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported

import jaxtyping
import pytest
import torch
import transformers
from tiny import (
    BACKENDS,
    BASE,
    CONFIGS,
    D_VOCAB,
    HAS_HOOKED,
    OTHERS,
    SENTENCES,
    randomise,
    save_decoder,
    train_tokenizer,
)

import semantic_hub.models.loading as sh_models

BRIDGES_FIRST = ("models", "activations")
"""Rooms in which the two classes differ; beyond them a bridge is slow where there is the other."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A model as a bridge, after it was read as a HookedTransformer, seldom says anything new.

    On the line without a HookedTransformer it is what every test reads.
    """
    rooms = [Path(__file__).parent / room for room in BRIDGES_FIRST]
    for item in items:
        if "real_folder" in getattr(item, "fixturenames", ()):  # one of them is an instruct model
            item.add_marker(pytest.mark.filterwarnings("ignore:.* has a chat template"))
        bridge = "bridge" in re.split(r"[][-]", item.name)
        if HAS_HOOKED and bridge and not any(room in item.path.parents for room in rooms):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is cached goes to a folder of the test run, one for all its processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMANTIC_HUB_CACHE", str(shared / "cache"))
        yield


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer that puts a BOS token first, saved as transformers does."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path
) -> Callable[[str], Path]:
    """Gives the folder of a tiny random model of an architecture, such as ``"llama"``."""
    made: dict[str, Path] = {}

    def folder(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = tmp_path_factory.mktemp("model") / architecture
            save_decoder(
                {**CONFIGS, **OTHERS}[architecture](), tokenizer_folder, made[architecture]
            )
        return made[architecture]

    return folder


@pytest.fixture(scope="session")
def llama_folder(checkpoint: Callable[[str], Path]) -> Path:
    """The folder of a tiny random Llama."""
    return checkpoint("llama")


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random BERT, with a tokenizer that adds [CLS] and [SEP]."""
    folder = tmp_path_factory.mktemp("model") / "bert"
    torch.manual_seed(0)
    config = transformers.BertConfig(**{**BASE, "vocab_size": D_VOCAB})
    randomise(transformers.BertForMaskedLM(config)).save_pretrained(folder)
    words = sorted(set(" ".join(SENTENCES).replace(".", " .").split()) | {"+", "=", "2", "3"})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizer.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", params=BACKENDS)
def model(request: pytest.FixtureRequest, llama_folder: Path) -> Any:
    """A tiny random Llama with a tokenizer, as each TransformerLens class."""
    return sh_models.load_model(llama_folder, device="cpu", backend=request.param)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The public data sets: SEMANTIC_HUB_TEST_DATA, else the data beside the checkout, or skip."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SEMANTIC_HUB_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("no public data sets here (set SEMANTIC_HUB_TEST_DATA to their folder)")
    return folder


@pytest.fixture(scope="session", params=("smollm2-135m-instruct", "gemma-3-270m"))
def real_folder(request: pytest.FixtureRequest) -> Path:
    """The folder of a real pretrained model that tests/real/fetch.py wrote, or skip."""
    place = os.environ.get("SEMANTIC_HUB_REAL_MODELS")
    if place is None or not (Path(place) / request.param).is_dir():
        pytest.skip(
            f"no {request.param} here (python tests/real/fetch.py FOLDER, then set "
            "SEMANTIC_HUB_REAL_MODELS=FOLDER)"
        )
    return Path(place) / request.param


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """For wrong input that the tests' own type checker would catch before our error does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
