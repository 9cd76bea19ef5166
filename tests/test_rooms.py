"""The rooms of the package: which may import from which, no circles, and names that bind modules."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import semantic_hub as sh

ROOT = Path(sh.__file__).parent
ORDER = [
    "errors", "models", "plotting", "prompts", "statistics", "results", "activations", "multimodal",
    "alignment", "lenses", "interventions", "experiment", "spokes", "zoo", "reporting", "cli",
    "__main__",
]  # fmt: skip
SIBLINGS = {"alignment", "lenses"}
ENTRIES = {*ORDER, "__init__", "py.typed"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
WINGS = [name for name in ORDER if (ROOT / name).is_dir()]


def imports(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line, module and names of every import from the package, under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == ROOT.name:
            yield node.lineno, node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == ROOT.name:
                    yield node.lineno, alias.name, []


def late_figures(path: Path) -> set[str]:
    """Modules of figures that a result of the same room imports when it is drawn."""
    inside = (
        node
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    )
    modules = {node.module or "" for node in inside}
    here = room(module_name(path))
    return {m for m in modules if "figure" in m.rpartition(".")[2] and m.split(".")[1] == here}


def room(module: str) -> str:
    return module.split(".")[1]


def test_the_root_holds_the_rooms_alone() -> None:
    found = {path.stem if path.suffix == ".py" else path.name for path in ROOT.iterdir()}
    assert found - {"__pycache__"} == ENTRIES
    assert len(ENTRIES) <= 19


@pytest.mark.parametrize("module", [name for name in SOURCES if name != ROOT.name])
def test_imports_go_to_the_left(module: str) -> None:
    """Never to a later room, between siblings, from a room's ``__init__``, or from the root."""
    path, here = SOURCES[module], room(module)
    wrong = []
    for line, target, _ in imports(path):
        if target == ROOT.name:
            wrong.append(f"{line}: from the root")
        elif target in SOURCES and SOURCES[target].name == "__init__.py":
            inside = path.name == "__init__.py" and f"{target}.".startswith(f"{module}.")
            wrong += [] if inside else [f"{line}: {target} is no module that defines names"]
        elif ORDER.index(room(target)) > ORDER.index(here):
            wrong.append(f"{line}: {target} lies above")
        elif {here, room(target)} == SIBLINGS:
            wrong.append(f"{line}: {target} is a sibling's")
        elif path.name == "__init__.py" and not target.startswith(f"{module}."):
            wrong.append(f"{line}: an __init__ imports from its own room")
    assert not wrong


def test_modules_have_no_circle() -> None:
    """Imports inside functions count as well, but for those of a result's own figures."""
    graph: dict[str, set[str]] = {}
    for module, path in SOURCES.items():
        if path.name == "__init__.py":
            continue
        graph[module] = {
            f"{target}.{name}" if f"{target}.{name}" in SOURCES else target
            for _, target, names in imports(path)
            for name in names or [""]
        } - late_figures(path)
    TopologicalSorter(graph).prepare()


def test_rooms_have_no_circle() -> None:
    graph = {
        room: {
            target.split(".")[1]
            for module, path in SOURCES.items()
            if module.split(".")[1:2] == [room]
            for _, target, _ in imports(path)
            if target.count(".") and target.split(".")[1] != room
        }
        for room in ORDER
    }
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", list(SOURCES))
def test_dotted_names_bind_modules(module: str) -> None:
    """``import semantic_hub.reporting.document as m`` gives the module, not a function."""
    if module.endswith("__main__"):
        return
    bound = importlib.import_module(module)
    if "." in module:
        parent, _, name = module.rpartition(".")
        assert getattr(importlib.import_module(parent), name) is bound


def test_no_module_bears_the_name_of_a_public_function() -> None:
    public = {name for name in sh.__all__ if callable(getattr(sh, name))}
    for wing in WINGS:
        exported = importlib.import_module(f"{ROOT.name}.{wing}")
        public |= {n for n in getattr(exported, "__all__", ()) if callable(getattr(exported, n))}
    modules = {found.name.rpartition(".")[2] for found in pkgutil.walk_packages([str(ROOT)])}
    modules |= {name.rpartition(".")[2] for name in SOURCES}
    assert not public & modules


@pytest.mark.parametrize("wing", WINGS)
def test_rooms_say_which_question_they_answer(wing: str) -> None:
    """One line with the question, then the parts in a few lines."""
    lines = ast.get_docstring(ast.parse((ROOT / wing / "__init__.py").read_text())).splitlines()
    assert "?" in lines[0]
    assert 3 <= len(lines) <= 14


def test_importing_rooms_loads_no_plotly_of_ours() -> None:
    """Figures are drawn late: no room's ``__init__`` imports a module of figures."""
    for path in ROOT.rglob("__init__.py"):
        assert not [target for _, target, _ in imports(path) if "figure" in target]
