"""Tables from disk: what is read, and how each kind of damage is told."""

from pathlib import Path

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.tables import read_lines, read_records, read_rows, read_table


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_table_reads_named_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "\ufeffen\tes\tnote\ndog\tperro\tx\n\ncat\tgato\n".encode())
    assert read_table(path, ("es", "en"), "test") == [
        {"es": "perro", "en": "dog"},
        {"es": "gato", "en": "cat"},
    ]


def test_comma_table_reads_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b'a,b\n"x, ""y""",z\n')
    assert read_table(path, ("a", "b"), "test") == [{"a": 'x, "y"', "b": "z"}]


def test_comma_table_keeps_line_breaks_in_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b'a,b\r\n"x\r\ny",z\r\n')
    assert read_table(path, ("a", "b"), "test") == [{"a": "x\ny", "b": "z"}]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'a,b\n"x\ny",z\n1,\n', r"t\.csv:4: an empty cell in column 'b'"),
        (b'a,b\n"x\ny",z\n1,2\n"3,4\n5,6\n', r"t\.csv:5: unexpected end of data"),
        (b'a,b\n"x"y,z\n', r"t\.csv:2: .*Close the quote"),
        (b'a,"b\n1,2\n', r"t\.csv:1: unexpected end of data"),
    ],
)
def test_comma_damage_is_told_with_its_place(tmp_path: Path, data: bytes, told: str) -> None:
    path = write(tmp_path / "t.csv", data)
    with pytest.raises(SemanticHubError, match=told):
        read_table(path, ("a", "b"), "test")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "an empty file"),
        (b"\n  \n", "an empty file"),
        (b"en\tes\ndog\t\xff\n", r"t\.tsv:2: byte 0xff"),
        (b"en\tde\ndog\tHund\n", "expected a column 'es'"),
        (b"en\tes\ndog\n", r"t\.tsv:2: 1 columns"),
        (b"en\tes\na\tb\tc\n", r"t\.tsv:2: 3 columns; expected 2, as the header has"),
        (b"en\tes\ten\na\tb\tc\n", r"t\.tsv:1: columns 'en', 'es', 'en'; expected a column 'en'"),
        (b'en\tes\n"Yes," she\tb\n', r"t\.tsv:2: .*Close the quote"),
        (b'""\n""\n', r"t\.tsv:1: columns ; expected a column 'en'"),
        (b"en\tes\ndog\tperro\ncat\t \n", r"t\.tsv:3: an empty cell in column 'es'"),
    ],
)
def test_damage_is_told_with_its_place(tmp_path: Path, data: bytes, told: str) -> None:
    path = write(tmp_path / "t.tsv", data)
    with pytest.raises(SemanticHubError, match=told):
        read_table(path, ("en", "es"), "test")


def test_cells_are_parsed_as_the_csv_module_writes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", b'\n en\t es \t\n"a\nb"\t "c ""d"""\t\n')
    assert read_table(path, ("en", "es"), "test") == [{"en": "a\nb", "es": 'c "d"'}]
    assert list(read_rows(path, "test"))[1] == (f"{path}:3", ["a\nb", 'c "d"', ""])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match="No such file"):
        read_lines(tmp_path / "absent", "test")


def test_records(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", b'{"a": 1}\n\n{"a": 2}\n')
    assert [(place[-2:], row["a"]) for place, row in read_records(path, "test")] == [
        (":1", 1),
        (":3", 2),
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", ":1:"),
        (b"{}\n[1]\n", ":2: list"),
        (b"[" * 10**5, ":1: .*recursion"),
        (b"9" * 5000, ":1: Exceeds"),
    ],
)
def test_bad_records(tmp_path: Path, data: bytes, told: str) -> None:
    path = write(tmp_path / "t.jsonl", data)
    with pytest.raises(SemanticHubError, match=told):
        list(read_records(path, "test"))
