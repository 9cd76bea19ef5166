"""What docstrings say in this project's own way, in terms that the reference's parser knows."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|mod|meth):(?=`)")
_NAME = re.compile(r"(?<!`)`(?P<name>[A-Za-z_][\w.]*)`(?!`)")
_EXAMPLE = "\nExample:\n"


class Docstrings(griffe.Extension):
    """Examples become a section of their own, and names in backticks links to what they name."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite the docstrings of a package, once all of it is known."""
        if pkg.name == "semantic_hub":
            _rewrite(pkg)


def _rewrite(item: griffe.Module | griffe.Class | griffe.Function | griffe.Attribute) -> None:
    if item.docstring:
        item.docstring.value = _linked(item.docstring.value, item)
    if item.is_module:
        item.exports = None  # what a module passes on is documented where it is defined
    for member in item.members.values():
        if not member.is_alias:
            _rewrite(member)  # type: ignore[arg-type]


def _linked(text: str, scope: griffe.Object) -> str:
    text, example, rest = f"\n{text}".partition(_EXAMPLE)

    def link(found: re.Match[str]) -> str:
        path = _home(found["name"], scope)
        return f"[{found[0]}][{path}]" if path and path != scope.path else found[0]

    text = _NAME.sub(link, _ROLE.sub("", text)).removeprefix("\n")
    return text + example.replace("Example", "Examples") + rest


def _home(name: str, scope: griffe.Object) -> str | None:
    """Where a name that a docstring mentions is documented, if it is."""
    package = scope.package
    try:
        path = name if name.startswith("semantic_hub.") else scope.resolve(name)
        found = package[path.removeprefix("semantic_hub.")]
        path = found.final_target.path if found.is_alias else found.path
    except (griffe.NameResolutionError, griffe.AliasResolutionError, KeyError):
        return None
    documented = found.has_docstring and not any(p.startswith("_") for p in path.split("."))
    return path if documented else None
