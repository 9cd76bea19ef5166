"""Which spokes a report measures: the model's own by default, or those that are named."""

from collections.abc import Callable, Mapping, Sequence

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.runner import Spoke
from semantic_hub.models.protocol import HookedModel
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.code.spoke import CodeSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.semantics.spoke import SemanticsSpoke
from semantic_hub.zoo.world.spokes import spokes_of

DEFAULT = ("language", "arithmetic")
"""What is measured on a model that was not trained on a world of the zoo, unless told otherwise."""


def default_spokes(model: HookedModel) -> Sequence[Spoke]:
    """What a report measures unless told otherwise.

    For a model that was trained on a world of the zoo: what that world held out. For any other
    model: the authored sentences and the arithmetic of the package, English as the dominant
    language.
    """
    return spokes_of(model) or [known_spokes(model)[name]() for name in DEFAULT]


def known_spokes(model: HookedModel) -> Mapping[str, Callable[[], Spoke]]:
    """The spokes that can be asked for by name, each made when it is called.

    For a model that was trained on a world of the zoo: that world's. For any other model those of
    the package that need text alone, ``code`` from the standard library among them, whose functions
    must fit into the model's context. Pictures and sounds need an encoder: give
    `semantic_hub.spokes.vision.spoke.VisionSpoke` or `semantic_hub.spokes.audio.spoke.AudioSpoke` themselves.

    Example:
        >>> list(known_spokes(model))[:4]
        ['language', 'arithmetic', 'code', 'semantics']
    """
    own = spokes_of(model)
    if own is not None:
        return {spoke.name: _given(spoke) for spoke in own}
    return {
        "language": LanguageSpoke,
        "arithmetic": ArithmeticSpoke,
        "code": CodeSpoke,
        "semantics": SemanticsSpoke,
    }


def chosen_spokes(
    model: HookedModel, spokes: Sequence[Spoke | str] | None = None
) -> Sequence[Spoke]:
    """Spokes as they were given, those that were given by name from `known_spokes`.

    Args:
        model: Whose spokes the names mean.
        spokes: Spokes or their names; None for `default_spokes`.

    Raises:
        SemanticHubError: A name that is not known, or a bare text.

    Example:
        >>> [spoke.name for spoke in chosen_spokes(model, ["arithmetic"])]
        ['arithmetic']
    """
    if spokes is None:
        return default_spokes(model)
    if isinstance(spokes, str):
        raise _unknown(spokes, "a list of spokes or of their names", f"Write [{spokes!r}].")
    known = known_spokes(model)
    for name in spokes:
        if isinstance(name, str) and name not in known:
            fix = "Name one of these, or give the spoke itself."
            raise _unknown(name, f"one of {', '.join(known)}", fix)
    return [known[spoke]() if isinstance(spoke, str) else spoke for spoke in spokes]


def _given(spoke: Spoke) -> Callable[[], Spoke]:
    return lambda: spoke


def _unknown(name: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError("report", got=f"the spoke {name!r}", expected=expected, fix=fix)
