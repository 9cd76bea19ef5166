"""Spokes that can be named in `semantic_hub.report`, to which users can add their own."""

from collections.abc import Callable

from semantic_hub.errors import check_kinds
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.registry import Registry
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.code.spoke import CodeSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.semantics.spoke import SemanticsSpoke

MakeSpoke = Callable[[HookedModel], Spoke | str | None]
"""Makes the spoke of a model; returns the reason, or None, if the model cannot have it."""

SPOKES: Registry[MakeSpoke] = Registry("spoke")
"""Mapping from the name of a spoke to the function that makes it for a model."""


def register_spoke(name: str, make: MakeSpoke, *, replace: bool = False) -> None:
    """Make a spoke available by name, as in ``report(model, ["mine"])``.

    A spoke of a model of the zoo takes precedence over a registered spoke of the same name.

    Args:
        name: Name that is not in use.
        make: From a model to the spoke, or to the reason (or None) why the model cannot have it.
        replace: Replace a spoke that already has the name, as when a notebook cell is run again.

    Raises:
        SemanticHubError: The name is empty or in use.

    Example:
        >>> class Greetings(Spoke):
        ...     name = "greetings"
        >>> register_spoke("greetings", lambda model: Greetings())
        >>> SPOKES["greetings"](model).name
        'greetings'
        >>> SPOKES.unregister("greetings")
    """
    check_kinds("register_spoke", make=(make, Callable))
    SPOKES.register(name, make, replace=replace)


register_spoke("language", lambda model: LanguageSpoke())
register_spoke("arithmetic", lambda model: ArithmeticSpoke())
register_spoke("code", lambda model: CodeSpoke())
register_spoke("semantics", lambda model: SemanticsSpoke())
register_spoke("vision", lambda model: "pictures need an encoder: pass VisionSpoke(encode) itself")
register_spoke("audio", lambda model: "sounds need an encoder: pass AudioSpoke(encode) itself")
