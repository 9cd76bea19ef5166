"""Fixtures that several test files share: tiny models of many architectures, and a tokenizer."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported

import jaxtyping
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import semantic_hub.models as sh_models
from semantic_hub.checkpoints import hooked_transformer_class

HAS_HOOKED = hooked_transformer_class() is not None
requires_hooked_transformer = pytest.mark.skipif(
    not HAS_HOOKED, reason="this TransformerLens has no HookedTransformer (4.x)"
)
BACKENDS = [pytest.param("hooked", marks=requires_hooked_transformer), "bridge"]

CORPUS = [
    "The dog barks at the cat and the cat runs away from the dog.",
    "El perro ladra al gato y el gato huye del perro.",
    "c equals a plus b, two plus three equals five, 2+3=5, 4*5=20.",
]
SENTENCES = [
    "The dog barks.",
    "El perro ladra al gato y el gato huye del perro.",
    "2+3=",
    "two plus three equals five and the cat runs away from the dog",
    "cat",
]

D_VOCAB = 300
_SIZES = {"vocab_size": D_VOCAB, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
_BASE = {
    **_SIZES,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
_GROUPED = {**_BASE, "num_key_value_heads": 2}

CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**_GROUPED, tie_word_embeddings=False),
    "llama-tied": lambda: transformers.LlamaConfig(**_GROUPED, tie_word_embeddings=True),
    "gpt2": lambda: transformers.GPT2Config(
        **_SIZES, n_embd=32, n_layer=3, n_head=4, n_positions=64
    ),
    "neox": lambda: transformers.GPTNeoXConfig(**_BASE),
    "qwen2": lambda: transformers.Qwen2Config(**_GROUPED),
    "mistral": lambda: transformers.MistralConfig(**_GROUPED, sliding_window=None),
    "gemma2": lambda: transformers.Gemma2Config(
        **_GROUPED, head_dim=8, sliding_window=64, query_pre_attn_scalar=8,
        final_logit_softcapping=5.0,
    ),
}  # fmt: skip
DECODERS = list(CONFIGS)


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer that puts a BOS token first, saved as transformers does."""
    folder = tmp_path_factory.mktemp("tokenizer")
    _train_tokenizer().save_pretrained(folder)
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
            _save_decoder(CONFIGS[architecture](), tokenizer_folder, made[architecture])
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
    config = transformers.BertConfig(**{**_BASE, "vocab_size": D_VOCAB})
    _randomise(transformers.BertForMaskedLM(config)).save_pretrained(folder)
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


def _save_decoder(config: Any, tokenizer_folder: Path, folder: Path) -> None:
    torch.manual_seed(0)
    _randomise(transformers.AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tokenizer_folder).save_pretrained(folder)


def _randomise(network: Any) -> Any:
    """Weights large enough for every block to matter, norms and biases included."""
    for name, parameter in network.named_parameters():
        noise = torch.randn_like(parameter)
        parameter.data = 1 + 0.2 * noise if _is_gain(name) else parameter.data * 2 + 0.05 * noise
    return network


def _is_gain(name: str) -> bool:
    return "norm" in name.lower() and name.endswith("weight")


def _train_tokenizer() -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=D_VOCAB,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """For wrong input that the tests' own type checker would catch before our error does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
