"""Programs from disk: the standard library, a folder of Python files, a file like MBPP's."""

import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.tables import read_records
from semantic_hub.spokes.code.functions import functions
from semantic_hub.spokes.code.programs import Program, check_syntax
from semantic_hub.spokes.sampling import evenly_spaced

_NOT_SOURCE = {"test", "tests", "idle_test", "lib2to3", "site-packages", "dist-packages"}


def standard_library_functions(
    at_most: int | None = None, *, modules: Sequence[str] | None = None, longest: int = 1000
) -> tuple[Program, ...]:
    """Functions with a docstring from the standard library's own source, in the modules' order.

    Its tests and what was installed into it are left out. Which functions there are depends on the
    version of Python that runs.

    Args:
        at_most: How many, evenly spaced over all; None for all, some thousands.
        modules: Modules and packages, such as ``("json", "textwrap")``; None for all.
        longest: Characters of a program; longer ones are left out.

    Raises:
        SemanticHubError: No source at hand, or no such modules in it.

    Example:
        >>> found = standard_library_functions(modules=("textwrap",))
        >>> found[-1].name, found[-1].text.partition(" ")[0]
        ('textwrap.indent', 'Adds')
    """
    found = [
        program
        for name, file in _modules(modules)
        for program in functions(_read(file, "standard_library_functions"), name)
        if program.text and len(program.code) <= longest
    ]
    if not found:
        raise SemanticHubError(
            "standard_library_functions",
            got=f"no functions in {sysconfig.get_path('stdlib')} of {modules or 'all modules'}",
            expected="the source of the standard library",
            fix="Name other modules, or take programs_from_folder.",
        )
    return evenly_spaced(found, len(found) if at_most is None else at_most)


def programs_from_folder(path: str | Path, *, longest: int = 1000) -> tuple[Program, ...]:
    """The functions in the ``.py`` files of a folder and its subfolders, in the order of the paths.

    A function's text is its docstring's first line, and the docstring is taken out of its code; see
    `semantic_hub.spokes.code.functions.functions`. A file without functions is a program itself.

    Args:
        path: The folder.
        longest: Characters of a program; longer ones are left out.

    Raises:
        SemanticHubError: No such folder, no program in it, a file that is no Python or not in the
            encoding that it declares (names the file and the line).
    """
    folder = Path(path)
    files = _python_files(folder)
    found = [program for file in files for program in _programs_of(file, folder)]
    return _not_empty(
        [program for program in found if len(program.code) <= longest],
        f"{path}, with {len(files)} .py files" if folder.is_dir() else f"{path}: no such folder",
        "programs_from_folder",
    )


def programs_from_jsonl(path: str | Path) -> tuple[Program, ...]:
    """Programs with descriptions from JSON Lines in the layout of MBPP.

    Each line is an object with ``code``, and ``text`` (in the sanitised files ``prompt``); others,
    such as ``test_list``, are not read. Lines of code end in ``\\n``, whatever the file has.

    Args:
        path: A UTF-8 file.

    Raises:
        SemanticHubError: A line that is no JSON object, lacks one of the two or has an empty one,
            or whose code is no Python (names the file and the line).

    Source:
        Austin et al. 2021, Program Synthesis with Large Language Models, arXiv 2108.07732.
    """
    found = [_record(*record, str(path)) for record in read_records(path, "programs_from_jsonl")]
    return _not_empty(found, str(path), "programs_from_jsonl")


def _python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"), key=lambda file: file.relative_to(folder).as_posix())


def _module_name(file: Path, folder: Path) -> str:
    name = file.relative_to(folder).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def _programs_of(file: Path, folder: Path) -> list[Program]:
    source = _read(file, "programs_from_folder")
    check_syntax(source, str(file), "programs_from_folder")
    name = _module_name(file, folder)
    whole = [Program(source, name=name, source=str(file))] if source.strip() else []
    return functions(source, name, source_name=str(file)) or whole


def _modules(wanted: Sequence[str] | None) -> Iterator[tuple[str, Path]]:
    """Name and file of each module, ordered by path."""
    folder = Path(sysconfig.get_path("stdlib"))
    for file in _python_files(folder):
        name, parts = _module_name(file, folder), set(file.relative_to(folder).parts)
        inner = wanted is None or any(f"{name}.".startswith(f"{module}.") for module in wanted)
        if inner and name.split(".")[0] in sys.stdlib_module_names and not parts & _NOT_SOURCE:
            yield name, file


def _read(path: Path, operation: str) -> str:
    """A Python file's text, in the encoding that it declares, with lines that end in ``\\n``."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise SemanticHubError(
            operation,
            got=f"{path}: {error}",
            expected="text in the encoding that the file declares, or UTF-8",
            fix="Convert the file to UTF-8.",
        ) from None


def _record(place: str, record: Mapping[str, Any], file: str) -> Program:
    cells = {"code": record.get("code"), "text": record.get("text", record.get("prompt"))}
    for name, cell in cells.items():
        if not isinstance(cell, str) or not cell.strip():
            raise SemanticHubError(
                "programs_from_jsonl",
                got=f"{place}: no text in {name!r}; its columns are {', '.join(record)}",
                expected="columns 'text' (or 'prompt') and 'code', both with text",
                fix="Rename the columns, or drop the line.",
            )
    code = re.sub(r"\r\n?", "\n", cells["code"].removeprefix("\ufeff"))
    check_syntax(code, f"{place}, line of the code", "programs_from_jsonl")
    return Program(code, cells["text"].strip(), name=str(record.get("task_id", place)), source=file)


def _not_empty(found: list[Program], got: str, operation: str) -> tuple[Program, ...]:
    if not found:
        raise SemanticHubError(
            operation,
            got=f"no program in {got}",
            expected="at least one, no longer than allowed",
            fix="Check the path, or allow longer programs.",
        )
    return tuple(found)
