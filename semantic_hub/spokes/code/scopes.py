"""Names that a scope of a program binds, with the parameters of functions and classes.

A name counts as a function only if the text has exactly one definition of it. If it is also a
parameter, a variable or an import, or has a decorator that may change its parameters, it is
unknown (None).
"""

import ast
import builtins
import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from semantic_hub.spokes.code.programs import Parameters

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.Module | ast.ClassDef | Function | ast.Lambda
Names = Mapping[str, Parameters | None]
"""Mapping from a name to the parameters of its function or class, None if not known."""

ANYTHING = "*"
"""Name bound by a star import, which may bind any name."""


def bindings(scope: Scope) -> dict[str, Parameters | None]:
    """Map each name that a scope itself binds to its function's or class's parameters, or None.

    Args:
        scope: A module, class, function or lambda.

    Returns:
        Mapping from name to the parameters of its function or class, or None.

    Example:
        >>> bindings(ast.parse("def f(a, *, b): c = 1\\nclass A:\\n def __init__(self, d): pass"))
        {'f': ('a',), 'A': ('d',)}
        >>> bindings(ast.parse("def f(a): pass\\nf = 1"))
        {'f': None}
    """
    bound: dict[str, set[Parameters | None]] = {}
    for name, parameters in (*_own_parameters(scope), *_bound(scope)):
        bound.setdefault(name, set()).add(parameters)
    return {name: values.pop() if len(values) == 1 else None for name, values in bound.items()}


def methods(owner: ast.ClassDef) -> dict[str, Parameters | None]:
    """Map each method of a class to its parameters in a call on an instance (without ``self``).

    Example:
        >>> [owner] = ast.parse("class A:\\n def say(self, word): pass").body
        >>> methods(owner)
        {'say': ('word',)}
    """
    times = Counter(name for name, _ in _bound(owner))
    functions = {node.name: node for node in owner.body if isinstance(node, Function)}
    return {
        name: _method_parameters(functions[name]) if count == 1 and name in functions else None
        for name, count in times.items()
    }


def around(names: Names, function: Function, own: Names) -> Names:
    """Names in scope around a method: those outside its class, and methods such as ``self.say``.

    Args:
        names: Names in scope around the class.
        function: The method.
        own: The `methods` of its class.
    """
    called_on = _receiver(function)
    if not called_on:
        return names
    others = {n: value for n, value in names.items() if not n.startswith(f"{called_on}.")}
    return {**others, **{f"{called_on}.{name}": value for name, value in own.items()}}


def inside(names: Names, function: Function | ast.Lambda, *, method: bool) -> Names:
    """Names in scope in a function: those that it binds, and outer ones that these do not hide.

    Args:
        names: Names in scope `around` it.
        function: The function.
        method: Whether it is in the body of a class.
    """
    own = bindings(function)
    shadowed = own.keys() - ({_receiver(function)} if method else set())
    visible = {
        name: value for name, value in names.items() if name.partition(".")[0] not in shadowed
    }
    return {**visible, **own}


@cache
def builtin_parameters(name: str) -> Parameters | None:
    """Positional parameters of a builtin, from its signature; None if it has no signature.

    Example:
        >>> builtin_parameters("isinstance"), builtin_parameters("min")
        (('obj', 'class_or_tuple'), None)
    """
    value = getattr(builtins, name, None)
    if not callable(value) or getattr(value, "__module__", None) != "builtins":
        return None
    try:
        signature = inspect.signature(value)
    except ValueError:
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in signature.parameters.values() if p.kind in by_position)


def _own_parameters(scope: Scope) -> Iterator[tuple[str, None]]:
    """Parameters of a function, which are unknown names in it."""
    if isinstance(scope, Function | ast.Lambda):
        arguments = scope.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            yield argument.arg, None
        for argument in filter(None, (arguments.vararg, arguments.kwarg)):
            yield argument.arg, None


def _bound(scope: Scope) -> Iterator[tuple[str, Parameters | None]]:
    """Each binding of a name in a scope, with its parameters."""
    for node in _own_nodes(scope.body if isinstance(scope.body, list) else [scope.body]):
        if isinstance(node, Function):
            yield node.name, None if node.decorator_list else _positional(node)
        elif isinstance(node, ast.ClassDef):
            yield node.name, _constructor(node)
        else:
            yield from ((name, None) for name in _names(node))
    yield from ((name, None) for name in _bound_from_inside(scope))


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes and their descendants, except those inside functions, lambdas and classes."""
    for node in nodes:
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            yield from _own_nodes(ast.iter_child_nodes(node))


def _names(node: ast.AST) -> list[str]:
    """Names that a node itself binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.alias(name=name, asname=alias):
            return [alias or name.partition(".")[0]]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def _bound_from_inside(scope: Scope) -> Iterator[str]:
    """Names of this scope that functions inside it may rebind."""
    kind = ast.Global if isinstance(scope, ast.Module) else ast.Nonlocal
    for node in ast.walk(scope) if isinstance(scope, ast.Module | Function) else ():
        if isinstance(node, kind):
            yield from node.names


def _receiver(function: Function | ast.Lambda) -> str:
    """Name of a method's object, usually ``self``; empty if there is none or it is rebound."""
    if isinstance(function, ast.Lambda) or {"staticmethod", "classmethod"} & _decorators(function):
        return ""
    names = _positional(function)[:1]
    return "" if set(names) & {name for name, _ in _bound(function)} else "".join(names)


def _positional(function: Function) -> Parameters:
    """Positional parameters of a function."""
    return tuple(a.arg for a in (*function.args.posonlyargs, *function.args.args))


def _method_parameters(function: Function) -> Parameters | None:
    """Parameters of a method without its object; None if a decorator may change them."""
    if not function.decorator_list or _decorators(function) == {"classmethod"}:
        return _positional(function)[1:]
    return _positional(function) if _decorators(function) == {"staticmethod"} else None


def _constructor(owner: ast.ClassDef) -> Parameters | None:
    """Parameters of a class's ``__init__``; None if they are not known."""
    own = methods(owner)
    decorated = owner.decorator_list or owner.keywords or "__new__" in own
    return None if decorated else own.get("__init__")


def _decorators(function: Function) -> set[str]:
    """Decorators of a function as text."""
    return {ast.unparse(decorator) for decorator in function.decorator_list}
