"""Programs from disk: order, layouts, and what is wrong with a file."""

import argparse
import ast
import inspect
import json
import textwrap
from pathlib import Path

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.code.files import (
    programs_from_folder,
    programs_from_jsonl,
    standard_library_functions,
)
from semantic_hub.spokes.code.functions import functions
from semantic_hub.spokes.code.programs import Program


def write(path: Path, text: str, **options: str) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, encoding=options.get("encoding", "utf-8"), newline="")


def test_standard_library_against_the_imported_module() -> None:
    found = standard_library_functions(modules=("textwrap",), longest=10_000)
    tree = ast.parse(inspect.getsource(textwrap))
    documented = sorted(
        (node.name, (ast.get_docstring(node) or "").splitlines()[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and len(node.body) > 1
    )
    assert sorted((p.name.rpartition(".")[2], p.text) for p in found) == documented
    assert {p.source for p in found} == {"textwrap"}


def test_standard_library_limits_are_evenly_spaced_and_the_same_every_time() -> None:
    everything = standard_library_functions(modules=("json", "textwrap", "heapq"))
    few = standard_library_functions(5, modules=("json", "textwrap", "heapq"))
    assert few == tuple(everything[i * len(everything) // 5] for i in range(5))
    assert max(len(program.code) for program in everything) <= 1000
    assert {program.source.split(".")[0] for program in everything} == {"json", "textwrap", "heapq"}


def test_the_standard_library_is_read_once() -> None:
    first, again = (standard_library_functions(modules=("heapq",)) for _ in range(2))
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_what_is_left_out_while_reading_is_what_would_be_left_out_afterwards() -> None:
    source = inspect.getsource(argparse)
    every = functions(source, "argparse")
    kept = [program for program in every if program.text and len(program.code) <= 300]
    assert functions(source, "argparse", described=True, longest=300) == kept
    assert 0 < len(kept) < len([program for program in every if program.text]) < len(every)


def test_standard_library_without_such_a_module() -> None:
    with pytest.raises(SemanticHubError, match=r"no functions in .* of \('numpy',\)"):
        standard_library_functions(modules=("numpy",))


def test_a_folder_in_the_order_of_its_paths(tmp_path: Path) -> None:
    write(tmp_path / "b.py", 'def g():\n    "Go."\n    return 1\r\n')
    write(tmp_path / "a" / "__init__.py", "")
    write(tmp_path / "a" / "z.py", "print([1, 2])\r\n")
    write(tmp_path / "a" / "l.py", "# coding: latin-1\ndef é(): return 'ü'\n", encoding="latin-1")
    write(tmp_path / "c.py", "\ufeffx = 1\n")
    write(tmp_path / "long.py", "x = 1\n" * 200)
    found = programs_from_folder(tmp_path)
    assert [(p.name, p.code, p.text) for p in found] == [
        ("a.l.é", "def é(): return 'ü'", ""),
        ("a.z", "print([1, 2])\n", ""),
        ("b.g", "def g():\n    return 1", "Go."),
        ("c", "x = 1\n", ""),
    ]
    assert found[2].source == str(tmp_path / "b.py")


def test_a_folder_with_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "bad.py", "x = 1\ny = (\n")
    with pytest.raises(SemanticHubError, match=r"bad\.py:2: '\(' was never closed"):
        programs_from_folder(tmp_path)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    write(tmp_path / "bad.py", "x = 'é'", encoding="latin-1")
    with pytest.raises(SemanticHubError, match=r"bad\.py: .*expected text in the encoding"):
        programs_from_folder(tmp_path)


def test_a_folder_without_programs(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match=r"no program in .*, with 0 \.py files"):
        programs_from_folder(tmp_path)
    with pytest.raises(SemanticHubError, match="missing: no such folder"):
        programs_from_folder(tmp_path / "missing")


def rows(path: Path, *records: object) -> Path:
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


def test_both_layouts_of_mbpp(tmp_path: Path) -> None:
    code = "def f(x):\r\n\treturn [x, 1]\r\n"
    path = rows(
        tmp_path / "m.jsonl",
        {"task_id": 7, "text": "Pair it. ", "code": code, "test_list": ["assert f(1)"]},
        {"prompt": "Say one.", "code": "print(1)"},
    )
    assert programs_from_jsonl(path) == (
        Program("def f(x):\n\treturn [x, 1]\n", "Pair it.", "7", str(path)),
        Program("print(1)", "Say one.", f"{path}:2", str(path)),
    )


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "Go."}, r":2: no text in 'code'; its columns are text"),
        ({"code": "x"}, r":2: no text in 'text'; its columns are code"),
        ({"text": " ", "code": "x"}, r":2: no text in 'text'"),
        ({"text": 3, "code": "x"}, r":2: no text in 'text'"),
        ({"text": "Go.", "code": "x = 1\nif x\n"}, r":2, line of the code:2: expected ':'"),
        ([1], r":2: list; expected a JSON object"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, record: object, message: str) -> None:
    path = rows(tmp_path / "m.jsonl", {"text": "Say.", "code": "print()"}, record)
    with pytest.raises(SemanticHubError, match=message):
        programs_from_jsonl(path)


@pytest.mark.parametrize(
    ("code", "message"),
    [("", "no code"), ("x = (", r"a\.py: f:1: '\(' was"), ("x\0y", "null bytes")],
)
def test_a_program_is_python(code: str, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        Program(code, name="f", source="a.py")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = " + "-" * 100_000 + "1", r"a\.py"),
        ("x = " + "[" * 5000 + "]" * 5000, r"a\.py:1: too many nested parentheses"),
        ("x = " + "1+" * 5000 + "1", r"a\.py"),
        ("if x: pass\n" + "elif x: pass\n" * 2000, r"a\.py: more than 500 parts inside each other"),
        ("x = " + "9" * 5000, r"a\.py:1: Exceeds the limit"),
    ],
)
def test_programs_that_are_too_deep_are_named(tmp_path: Path, code: str, told: str) -> None:
    (tmp_path / "a.py").write_text(code)
    with pytest.raises(SemanticHubError, match=rf"programs_from_folder: got .*{told}"):
        programs_from_folder(tmp_path, longest=10**6)
    with pytest.raises(SemanticHubError, match="Program: got the code"):
        Program(code)


def test_a_folder_with_the_name_of_a_module_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "d.py").mkdir()
    (tmp_path / "d.py" / "a.py").write_text("x = 1\n")
    (tmp_path / "self").symlink_to(tmp_path)
    assert [program.name for program in programs_from_folder(tmp_path)] == ["d.py.a"]
