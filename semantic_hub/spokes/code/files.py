"""Read programs from the standard library, a folder of Python files, or a file like MBPP's."""

import os
import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

from semantic_hub.errors import SemanticHubError, as_list, check_text, is_folder, reading
from semantic_hub.prompts.tables import read_records
from semantic_hub.spokes.code.functions import functions
from semantic_hub.spokes.code.programs import Program, check_syntax
from semantic_hub.spokes.sampling import evenly_spaced

_NOT_SOURCE = {"test", "tests", "idle_test", "lib2to3", "site-packages", "dist-packages"}


def standard_library_functions(
    at_most: int | None = None, *, modules: str | Sequence[str] | None = None, longest: int = 1000
) -> tuple[Program, ...]:
    """Functions with a docstring from the source of the standard library, in the modules' order.

    Tests and installed packages are left out. The set of functions depends on the version of
    Python.

    Args:
        at_most: Number of functions, evenly spaced over all; None for all, some thousands.
        modules: Modules and packages, such as ``("json", "textwrap")``; None for all.
        longest: Longest program in characters; longer ones are left out.

    Raises:
        SemanticHubError: The source is not installed, or has no such modules.

    Example:
        >>> programs = standard_library_functions(modules=("textwrap",))
        >>> programs[-1].name, programs[-1].text.partition(" ")[0]
        ('textwrap.indent', 'Adds')
    """
    chosen = None
    if modules is not None:
        chosen = as_list("standard_library_functions", "modules", modules, str)
    folder = Path(sysconfig.get_path("stdlib"))
    programs = _described_functions(folder, None if chosen is None else tuple(chosen), longest)
    if not programs:
        raise SemanticHubError(
            "standard_library_functions",
            got=f"no functions in {folder} of {modules or 'all modules'}",
            expected="the source of the standard library",
            fix="Name other modules, or take programs_from_folder.",
        )
    return evenly_spaced(programs, len(programs) if at_most is None else at_most)


def programs_from_folder(path: str | Path, *, longest: int = 1000) -> tuple[Program, ...]:
    """Functions in the ``.py`` files of a folder and its subfolders, in the order of the paths.

    A function's text is the first line of its docstring, which is removed from its code; see
    `semantic_hub.spokes.code.functions.functions`. A file without functions is one program.

    Args:
        path: The folder.
        longest: Longest program in characters; longer ones are left out.

    Raises:
        SemanticHubError: No such folder, no program in it, or a file that is not valid Python or
            not in its declared encoding; the error names the file and the line.
    """
    folder = Path(path)
    files = _python_files(folder)
    programs = [program for file in files for program in _programs_in_file(file, folder)]
    return _check_not_empty(
        [program for program in programs if len(program.code) <= longest],
        f"{path}, with {len(files)} .py files" if is_folder(folder) else f"{path}: no such folder",
        "programs_from_folder",
    )


def programs_from_jsonl(path: str | Path) -> tuple[Program, ...]:
    """Read programs with descriptions from JSON Lines in the layout of MBPP.

    Each line is an object with ``code`` and ``text`` (``prompt`` in MBPP's sanitized files); other
    fields, such as ``test_list``, are ignored. Line ends in the code become ``\\n``.

    Args:
        path: A UTF-8 file.

    Raises:
        SemanticHubError: A line that is not a JSON object, that lacks one of the two fields or has
            an empty one, or whose code is not valid Python; the error names the file and line.

    Source:
        Austin et al. 2021, Program Synthesis with Large Language Models, arXiv 2108.07732.
    """
    records = read_records(path, "programs_from_jsonl")
    programs = [_program_from_record(*record, str(path)) for record in records]
    return _check_not_empty(programs, str(path), "programs_from_jsonl")


def _python_files(folder: Path) -> list[Path]:
    """Python files of a folder and its subfolders, in the order of their relative paths."""
    found = folder.rglob("*.py") if is_folder(folder) else ()
    files = (path for path in found if not path.is_dir())
    return sorted(files, key=lambda file: file.relative_to(folder).as_posix())


def _module_name(file: Path, folder: Path) -> str:
    """Dotted name of a file's module, with the folder as the root."""
    name = file.relative_to(folder).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def _programs_in_file(file: Path, folder: Path) -> list[Program]:
    """Functions of a file, or the whole file if it has none."""
    source = _read(file, "programs_from_folder")
    check_syntax(source, str(file), "programs_from_folder")
    name = _module_name(file, folder)
    whole = [Program(source, name=name, source=str(file))] if source.strip() else []
    return functions(source, name, source_name=str(file)) or whole


@cache
def _described_functions(
    folder: Path, modules: tuple[str, ...] | None, longest: int
) -> tuple[Program, ...]:
    """Functions of the standard library in a folder that have a docstring, read once a process."""
    return tuple(
        program
        for name, file in _modules(folder, modules)
        for program in functions(
            _read(file, "standard_library_functions"), name, described=True, longest=longest
        )
    )


def _modules(folder: Path, names: Sequence[str] | None) -> Iterator[tuple[str, Path]]:
    """Name and file of each module of the standard library, ordered by path."""
    files = [Path(at) / file for at, file in _walk(folder, _NOT_SOURCE) if file.endswith(".py")]
    for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix()):
        name = _module_name(file, folder)
        requested = names is None or any(f"{name}.".startswith(f"{n}.") for n in names)
        if requested and name.split(".")[0] in sys.stdlib_module_names:
            yield name, file


def _walk(folder: Path, left_out: Set[str]) -> Iterator[tuple[str, str]]:
    """Folder and name of each file below a folder, without going into some subfolders."""
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in left_out]
        yield from ((at, name) for name in files)


def _read(path: Path, operation: str) -> str:
    """Text of a Python file in its declared encoding, with ``\\n`` as line ends."""
    with (
        reading(
            operation,
            path,
            expected="text in the encoding that the file declares, or UTF-8",
            fix="Convert the file to UTF-8, or leave it out.",
        ),
        tokenize.open(path) as file,
    ):
        return file.read()


def _program_from_record(location: str, record: Mapping[str, Any], file: str) -> Program:
    """Program from one JSON object."""
    cells = {"code": record.get("code"), "text": record.get("text", record.get("prompt"))}
    for name, cell in cells.items():
        if not isinstance(cell, str) or not cell.strip():
            raise SemanticHubError(
                "programs_from_jsonl",
                got=f"{location}: no text in {name!r}; its columns are {', '.join(record)}",
                expected="columns 'text' (or 'prompt') and 'code', both with text",
                fix="Rename the columns, or drop the line.",
            )
        check_text("programs_from_jsonl", f"{location}: {name!r}", cell)
    code = re.sub(r"\r\n?", "\n", cells["code"].removeprefix("\ufeff"))
    check_syntax(code, f"{location}, line of the code", "programs_from_jsonl")
    return Program(
        code, cells["text"].strip(), name=str(record.get("task_id", location)), source=file
    )


def _check_not_empty(programs: list[Program], got: str, operation: str) -> tuple[Program, ...]:
    """The programs as a tuple, or an error if there are none."""
    if not programs:
        raise SemanticHubError(
            operation,
            got=f"no program in {got}",
            expected="at least one, no longer than allowed",
            fix="Check the path, or allow longer programs.",
        )
    return tuple(programs)
