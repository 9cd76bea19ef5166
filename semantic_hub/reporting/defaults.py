"""Choose the spokes of a report: the model's own by default, or those that are named."""

from collections.abc import Callable, Mapping, Sequence

from semantic_hub.errors import SemanticHubError, as_list, nearest_name
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.models.protocol import HookedModel
from semantic_hub.spokes.registry import SPOKES
from semantic_hub.zoo.world.spokes import spokes_of

DEFAULT = ("language", "arithmetic")
"""Names of the default spokes of a model that was not trained on a world of the zoo."""


def default_spokes(model: HookedModel) -> Sequence[Spoke]:
    """Spokes that a report measures if none are named.

    For a model that was trained on a world of the zoo, these are the spokes on what that world held
    out. For any other model, the authored sentences and the arithmetic of the package, with English
    as the dominant language.
    """
    return spokes_of(model) or [_made(model, name) for name in DEFAULT]


def known_spokes(model: HookedModel) -> Mapping[str, Callable[[HookedModel], Spoke | str | None]]:
    """Spokes that can be named for a model: name to the function that makes the spoke.

    These are the registered spokes (`semantic_hub.spokes.registry.SPOKES`). For a model that was
    trained on a world of the zoo, that world's spokes replace those of the same name.

    Example:
        >>> list(known_spokes(model))[:4]
        ['language', 'arithmetic', 'code', 'semantics']
    """
    worlds = {spoke.name: _constant(spoke) for spoke in spokes_of(model) or ()}
    return {**SPOKES, **worlds}


def chosen_spokes(
    model: HookedModel, spokes: Spoke | str | Sequence[Spoke | str] | None = None
) -> Sequence[Spoke]:
    """Resolve spokes and their names, or a single one, to spokes; None gives the defaults.

    Args:
        model: Model that the spokes are made for.
        spokes: One or several spokes or their names (`known_spokes`); None for `default_spokes`.

    Raises:
        SemanticHubError: No spokes, an unknown name, a spoke that the model cannot have, or what is
            neither.

    Example:
        >>> [spoke.name for spoke in chosen_spokes(model, ["arithmetic"])]
        ['arithmetic']
    """
    if spokes is None:
        return default_spokes(model)
    spokes = as_list("report", "spokes", spokes, (Spoke, str))
    if not spokes:
        raise SemanticHubError(
            "report",
            got="no spokes",
            expected="at least one",
            fix="Leave spokes out for the model's own.",
        )
    names = [spoke for spoke in spokes if isinstance(spoke, str)]
    known = known_spokes(model) if names else {}
    for name in names:
        if name not in known:
            expected = f"one of {', '.join(known)}"
            fix = f"{nearest_name(name, known)} You can also give the spoke itself."
            raise _error(name, expected, fix)
    return [_made(model, spoke) if isinstance(spoke, str) else spoke for spoke in spokes]


def _made(model: HookedModel, name: str) -> Spoke:
    """Spoke of a name, or an error if the model cannot have it."""
    spoke = known_spokes(model)[name](model)
    if isinstance(spoke, Spoke):
        return spoke
    reason = spoke or "its register_spoke function returned None"
    raise _error(name, "a spoke that this model can have", f"It cannot have this one: {reason}.")


def _constant(spoke: Spoke) -> Callable[[HookedModel], Spoke]:
    return lambda model: spoke


def _error(name: str, expected: str, fix: str) -> SemanticHubError:
    """Error about the spokes of a report."""
    return SemanticHubError("report", got=f"the spoke {name!r}", expected=expected, fix=fix)
