"""The cache: what makes a table the same, what damages it, and who may write at once."""

import subprocess
import sys
from threading import Thread

import pytest
import torch
import transformers

from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.lenses.mass import cache as module
from semantic_hub.lenses.mass.cache import cache_folder, language_table, tokenizer_digest

LISTS = {"en": {"dog": 2.0, "no": 1.0}, "es": {"perro": 1.0, "no": 1.0}, "fr": {"chien": 1.0}}


@pytest.fixture
def builds(monkeypatch):
    """Every table that is built, from short lists."""
    built = []

    def build(*args):
        built.append(args)
        return original(*args)

    original = module.build_language_table
    monkeypatch.setattr("semantic_hub.lenses.mass.table.word_list", LISTS.__getitem__)
    monkeypatch.setattr(module, "build_language_table", build)
    return built


@pytest.fixture
def tokenizer(tokenizer_folder):
    return transformers.AutoTokenizer.from_pretrained(tokenizer_folder)


def same(one, other):
    return (
        one.languages == other.languages
        and torch.equal(one.frequency, other.frequency)
        and torch.equal(one.kind, other.kind)
    )


def test_a_table_is_built_once(builds, tokenizer, tokenizer_folder, tmp_path):
    first = language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path)
    reloaded = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    again = language_table(reloaded, ["en", "es"], 300, cache_dir=tmp_path)
    assert len(builds) == 1 and same(first, again)


@pytest.mark.parametrize(
    "other", [{"languages": ["es", "en"]}, {"languages": ["en", "fr"]}, {"d_vocab": 301}]
)
def test_another_table_has_another_place(builds, tokenizer, tmp_path, other):
    asked = {"languages": ["en", "es"], "d_vocab": 300}
    language_table(tokenizer, **asked, cache_dir=tmp_path)
    found = language_table(tokenizer, **(asked | other), cache_dir=tmp_path)
    assert len(builds) == 2 and list(found.languages) == (asked | other)["languages"]
    assert len(found.kind) == (asked | other)["d_vocab"]


def test_another_version_of_the_lists_has_another_place(builds, tokenizer, tmp_path, monkeypatch):
    language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path)
    assert len(builds) == 2


def test_padding_and_truncation_leave_a_tokenizer_what_it_is(tokenizer):
    before = tokenizer_digest(tokenizer)
    tokenizer(["a b", "a"], padding=True, truncation=True, max_length=5)
    assert tokenizer.backend_tokenizer.padding is not None
    assert tokenizer_digest(tokenizer) == before


def test_content_makes_a_tokenizer_another_one(tokenizer):
    before = tokenizer_digest(tokenizer)
    tokenizer.add_tokens(["dogcat"])
    word = tokenizer_digest(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["dogcat"]})
    assert len({before, word, tokenizer_digest(tokenizer)}) == 3


def test_a_tokenizer_written_in_python_has_a_digest_too():
    plain, more = transformers.ByT5Tokenizer(), transformers.ByT5Tokenizer(extra_ids=7)
    assert tokenizer_digest(plain) == tokenizer_digest(transformers.ByT5Tokenizer())
    assert tokenizer_digest(plain) != tokenizer_digest(more)


DAMAGES = {
    "truncated arrays": lambda folder: cut(next(folder.glob("arrays-*"))),
    "no arrays": lambda folder: next(folder.glob("arrays-*")).unlink(),
    "truncated record": lambda folder: cut(folder / "result.json"),
    "not text": lambda folder: (folder / "result.json").write_bytes(b"\xff\xfe\x00"),
    "another record": lambda folder: (folder / "result.json").write_text('{"kind": "Norms"}'),
    "another key": lambda folder: replace(folder / "result.json", '"d_vocab": 300', '"d_vocab": 3'),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_built_again_and_mended(builds, tokenizer, tmp_path, damage):
    first = language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path)
    [folder] = (tmp_path / "language-tables").iterdir()
    DAMAGES[damage](folder)
    assert same(first, language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path))
    assert same(first, language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path))
    assert len(builds) == 2


def test_threads_that_ask_at_once_share_one_build(builds, tokenizer, tmp_path):
    found = []

    def ask():
        found.append(language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1 and len(found) == 4 and all(same(found[0], table) for table in found)


PROCESS = """
import sys
from transformers import AutoTokenizer
from semantic_hub.lenses.mass import table as tables
from semantic_hub.lenses.mass.cache import language_table
tables.word_list = {"en": {"dog": 2.0, "no": 1.0}, "es": {"perro": 1.0, "no": 1.0}}.get
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
sys.stdout.write("ready\\n"), sys.stdout.flush(), sys.stdin.readline()
for number in range(20):
    table = language_table(tokenizer, ["en", "es"], 300 + number, cache_dir=sys.argv[2])
    print(table.frequency.sum().item(), flush=True)
"""


@pytest.mark.slow
def test_processes_that_write_at_once_leave_whole_tables(
    builds, tokenizer, tokenizer_folder, tmp_path
):
    command = [sys.executable, "-W", "error::UserWarning", "-c", PROCESS]
    command += [str(tokenizer_folder), str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    assert all(writer.stdout.readline() == "ready\n" for writer in writers)
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    outputs = [writer.communicate()[0].split() for writer in writers]
    assert all(writer.returncode == 0 for writer in writers)
    assert all([float(x) for x in output] == pytest.approx([2.0] * 20) for output in outputs)
    language_table(tokenizer, ["en", "es"], 319, cache_dir=tmp_path)
    assert not builds and not list(tmp_path.rglob("*.part"))


def test_the_folder_is_the_parameters_then_the_environments_then_the_platforms(
    builds, tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setenv("SEMANTIC_HUB_CACHE", str(tmp_path / "environment"))
    language_table(tokenizer, ["en", "es"], 300)
    assert (tmp_path / "environment" / "language-tables").is_dir()
    language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path / "parameter")
    assert len(builds) == 2
    monkeypatch.delenv("SEMANTIC_HUB_CACHE")
    assert cache_folder().is_absolute() and cache_folder().name.startswith("semantic-hub")


def test_a_folder_that_cannot_be_written_is_told_and_does_no_harm(builds, tokenizer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(SemanticHubWarning, match="SEMANTIC_HUB_CACHE"):
        table = language_table(tokenizer, ["en", "es"], 300, cache_dir=tmp_path / "file")
    assert table.frequency.sum().item() == pytest.approx(2)


def test_an_unknown_language_is_refused_before_anything_is_read(builds, tokenizer, tmp_path):
    with pytest.raises(SemanticHubError, match="one of the 42"):
        language_table(tokenizer, ["en", "xx"], 300, cache_dir=tmp_path / "never")
    assert not builds and not (tmp_path / "never").exists()
