"""Pairs from code and from files, and what the errors say."""

import json
from pathlib import Path

import datasets
import pandas as pd
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout

ROWS = [
    {"id": "dog", "translation": {"en": "the dog", "es": "el perro"}},
    {"id": "cat", "translation": {"en": "the cat", "es": "el gato"}},
]


def texts(pairs: Pairs) -> list[tuple[str | None, str | None]]:
    return [(x.text, y.text) for x, y in pairs]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_pairs_take_text_token_ids_and_prompts():
    pairs = Pairs.from_prompts(["one", [3, 4]], [Prompt("uno", position=0), "dos"])
    assert pairs.x == (Prompt("one"), Prompt(tokens=(3, 4)))
    assert pairs.y[0].position == 0
    assert (pairs.x_name, pairs.y_name, pairs.labels) == ("x", "y", ())


def test_a_slice_gives_pairs_with_their_names_and_labels():
    pairs = Pairs.from_prompts(
        [*"abc"], [*"ABC"], x_name="small", y_name="large", labels=["1", "2", "3"]
    )
    part = pairs[1:]
    assert (len(pairs), len(part)) == (3, 2)
    assert texts(part) == [("b", "B"), ("c", "C")]
    assert (part.x_name, part.y_name, part.labels) == ("small", "large", ("2", "3"))


def test_an_index_is_refused_with_the_way_to_do_it(without_shape_checks):
    with pytest.raises(SemanticHubError, match=r"Use pairs\[0:1\], or pairs.x\[0\]"):
        Pairs.from_prompts([*"ab"], [*"AB"])[0]  # type: ignore[reportArgumentType]


def test_pairs_are_frozen():
    with pytest.raises(AttributeError):
        Pairs.from_prompts([*"ab"], [*"AB"]).x = ()  # type: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("x", "y", "labels", "text"),
    [
        (["a", "b"], ["c"], (), "2 x prompts and 1 y prompts; expected equal lengths"),
        ([], [], (), "0 x prompts and 0 y prompts; expected at least 1 pair"),
        (["a"], ["b"], ("c", "d"), "2 labels for 1 pairs"),
        (["a"], [""], (), "an empty prompt"),
    ],
)
def test_pairs_that_do_not_fit_are_told(x, y, labels, text):
    with pytest.raises(SemanticHubError, match=text):
        Pairs.from_prompts(x, y, labels=labels)


def test_an_empty_slice_is_an_error():
    with pytest.raises(SemanticHubError, match="0 x prompts"):
        Pairs.from_prompts([*"ab"], [*"AB"])[2:]


def test_tsv_is_read_by_the_names_of_its_columns(tmp_path):
    path = write(tmp_path / "my.tsv", "\ufeffid\tes\ten\r\n1\tuno\tone\r\n\r\n2\tdós \ttwo\r\n")
    pairs = Pairs.from_tsv(path, x="en", y="es", labels="id")
    assert texts(pairs) == [("one", "uno"), ("two", "dós")]
    assert (pairs.x_name, pairs.y_name, pairs.labels) == ("en", "es", ("1", "2"))


def test_tsv_keeps_commas_and_inner_quotes(tmp_path):
    path = write(tmp_path / "my.tsv", 'en\tes\na, b\tc"d"\n')
    assert texts(Pairs.from_tsv(path)) == [("a, b", 'c"d"')]


@pytest.mark.parametrize(("name", "separator"), [("my.tsv", "\t"), ("my.csv", ",")])
def test_what_pandas_writes_comes_back(tmp_path, name, separator):
    rows = {
        " en ": ['"Yes," she said.', "two\nlines", "a\ttab, a comma"],
        "es": ['"Sí", dijo.', "dos\nlíneas", 'un "tab"'],
        "note": ["", "", ""],
    }
    pd.DataFrame(rows).to_csv(tmp_path / name, sep=separator, index=False)
    pairs = Pairs.from_tsv(tmp_path / name)
    assert [x.text for x in pairs.x] == rows[" en "]
    assert [y.text for y in pairs.y] == rows["es"]


def test_half_a_surrogate_pair_is_refused_with_its_row(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_text('{"en": "one", "es": "uno"}\n{"en": "two", "es": "d\\ud800s"}\n')
    with pytest.raises(SemanticHubError, match=r"my\.jsonl:2: the text under 'es' with '.ud800'"):
        Pairs.from_jsonl(path)
    with pytest.raises(SemanticHubError, match=r"Prompt: got a text with '.ud800'"):
        Prompt("a\ud800")
    for names in ({"x_name": "\ud800"}, {"labels": ["1", "\udfff"]}):
        with pytest.raises(SemanticHubError, match=r"Pairs: got (x_name|label 1) with '.ud"):
            Pairs.from_prompts([*"ab"], [*"AB"], **names)
    with pytest.raises(SemanticHubError, match=r"Readout: got the group 'en' with '.ud800'"):
        Readout(Prompt("a"), {"en": ("b", "\ud800")})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "an empty file"),
        (b"en\tes\none\tuno\ntwo\td\xf3s\n", r"my\.tsv:3: byte 0xf3"),
        ("en\tfr\none\tun\n", r"my\.tsv:1: columns 'en', 'fr'; expected a column 'es'"),
        ("en\tes\none\tuno\ntwo\n", r"my\.tsv:3: 1 columns"),
        ("en\tes\none\tuno\ntwo\t \n", r"my\.tsv:3: an empty cell in column 'es'"),
        ("en\tes\n", r"my\.tsv: no rows"),
    ],
)
def test_tsv_errors_name_file_and_line(tmp_path, content, text):
    with pytest.raises(SemanticHubError, match=text):
        Pairs.from_tsv(write(tmp_path / "my.tsv", content))


@pytest.mark.parametrize("read", [Pairs.from_tsv, Pairs.from_jsonl])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(SemanticHubError, match=r"nowhere\.txt: No such file"):
        read(tmp_path / "nowhere.txt")


def test_jsonl_reads_flat_and_nested_fields(tmp_path):
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    path = write(tmp_path / "my.jsonl", lines)
    pairs = Pairs.from_jsonl(path, x="translation.en", y="translation.es", labels="id")
    assert texts(pairs) == [("the dog", "el perro"), ("the cat", "el gato")]
    assert (pairs.x_name, pairs.y_name, pairs.labels) == ("en", "es", ("dog", "cat"))
    flat = write(tmp_path / "flat.jsonl", '{"en": "one", "es": "uno"}\n')
    assert texts(Pairs.from_jsonl(flat)) == [("one", "uno")]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "an empty file"),
        ('{"en": "one", "es": "uno"}\n{"en": "two", \n', r"my\.jsonl:2: "),
        ('{"en": "one", "es": "uno"}\n["two"]\n', r"my\.jsonl:2: list"),
        ('{"en": "one", "fr": "un"}\n', r"my\.jsonl:1: 'en', 'fr'; expected a field 'es'"),
        ('{"en": "one", "es": 1}\n', r"my\.jsonl:1: 1 under 'es'; expected text"),
        ('{"en": " ", "es": "uno"}\n', r"my\.jsonl:1: ' ' under 'en'; expected text"),
    ],
)
def test_jsonl_errors_name_file_and_line(tmp_path, content, text):
    with pytest.raises(SemanticHubError, match=text):
        Pairs.from_jsonl(write(tmp_path / "my.jsonl", content))


def test_dataset_and_list_of_rows_give_the_same_pairs():
    fields = {"x": "translation.en", "y": "translation.es", "labels": "id"}
    expected = Pairs.from_dataset(ROWS, **fields)
    assert texts(expected) == [("the dog", "el perro"), ("the cat", "el gato")]
    dataset = datasets.Dataset.from_list(ROWS)
    assert Pairs.from_dataset(dataset, **fields) == expected
    assert Pairs.from_dataset(dataset.to_iterable_dataset(), **fields) == expected


def test_a_field_whose_name_has_dots_goes_first():
    rows = [{"a.b": "flat", "a": {"b": "nested"}, "y": "y"}]
    assert texts(Pairs.from_dataset(rows, x="a.b", y="y")) == [("flat", "y")]


def test_a_dictionary_of_splits_is_refused(without_shape_checks):
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)})
    with pytest.raises(SemanticHubError, match=r"a mapping with train.*dataset\['train'\]"):
        Pairs.from_dataset(splits)


def test_dataset_errors_name_the_row():
    with pytest.raises(SemanticHubError, match=r"row 1: None under 'translation\.es'"):
        rows = [*ROWS[:1], {"translation": {"en": "the sun", "es": None}}]
        Pairs.from_dataset(rows, x="translation.en", y="translation.es")
    with pytest.raises(
        SemanticHubError, match=r"row 0: 'en', 'es'; expected a field 'translation.de'"
    ):
        Pairs.from_dataset(ROWS, x="translation.en", y="translation.de")
    with pytest.raises(SemanticHubError, match="the dataset: no rows"):
        Pairs.from_dataset([])
