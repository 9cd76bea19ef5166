"""The base class of a spoke: one data type, with the sets that each kind of evidence is run on."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from semantic_hub.errors import SemanticHubError, check_names
from semantic_hub.lenses.mass.texts import LanguageTexts
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings

_ALIKE = 0.8
"""Likeness of names above which a method counts as a misspelling of one of `Spoke`'s."""


class Spoke:
    """Base class of a data type; a subclass sets a name and overrides the sets that it offers.

    Every method returns named sets; the names appear in results, files and on the page. A subclass
    with a public method that looks like a misspelling of one of these is refused when it is
    defined.

    Attributes:
        name: What the spoke is called in results; a class attribute, a field or a property.

    Raises:
        SemanticHubError: A subclass with a misspelled method, such as ``intervention``.

    Example:
        >>> class Greetings(Spoke):
        ...     name = "greetings"
        ...     def pairs(self):
        ...         return {"en – es": Pairs.from_prompts(["hello", "bye"], ["hola", "adiós"])}
        >>> Greetings().readouts()
        {}
    """

    name: str = ""
    __repr__ = short_repr

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = cls.__repr__  # a class's own, so that @dataclass writes none of all fields
        known = [name for name in vars(Spoke) if not name.startswith("_")]
        for name, value in vars(cls).items():
            if name.startswith("_") or name in known or not callable(value):
                continue
            if near := get_close_matches(name, known, n=1, cutoff=_ALIKE):
                raise SemanticHubError(
                    f"class {cls.__name__}(Spoke)",
                    got=f"a method {name!r}",
                    expected=f"methods of a spoke: {', '.join(known)}",
                    fix=f"Did you mean {near[0]!r}? If not, choose a name that is less like it.",
                )

    def pairs(self) -> Mapping[str, Pairs]:
        """Pairs of prompts with the same meaning, by set name, for the similarity."""
        return {}

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Pairs by set name that keep each x but alter one fact in its y: a null control."""
        return {}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs for the lens, by set name; all in a set have the same candidate groups."""
        return {}

    def texts(self) -> Mapping[str, LanguageTexts]:
        """Texts of one language, by set name, for the language mass."""
        return {}

    def interventions(self) -> Mapping[str, Any]:
        """Interventions by set name, such as `semantic_hub.interventions.spec.Patching`."""
        return {}

    def spelled_out(self) -> Mapping[str, Sequence[Prompt]]:
        """Prompts by name, whose top token at each layer is kept for the spoke's figures."""
        return {}

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """Prompts by form, then by English word, to compare forms across spokes."""
        return {}

    def figures(self, findings: "Findings") -> "Mapping[str, go.Figure]":
        """Extra figures for the report, by title, drawn from this spoke's findings."""
        return {}


def check_spoke(operation: str, spoke: object) -> Spoke:
    """Raise unless an object is an instance of `Spoke` with a name; return it.

    Args:
        operation: The user's call, for the error.
        spoke: What was given.

    Raises:
        SemanticHubError: No instance of `Spoke`, or one without a name.
    """
    if isinstance(spoke, type) and issubclass(spoke, Spoke):
        got, fix = f"the class {spoke.__name__}", f"Make one: {spoke.__name__}()."
    elif not isinstance(spoke, Spoke):
        got = f"a {type(spoke).__name__}"
        fix = "Let its class inherit from semantic_hub.Spoke."
    elif not isinstance(spoke.name, str) or not spoke.name.strip():
        got, fix = f"a spoke called {spoke.name!r}", "Give its class a name, a text."
    else:
        check_names(operation, "spoke", [spoke.name])
        return spoke
    raise SemanticHubError(operation, got=got, expected="a spoke with a name", fix=fix)
