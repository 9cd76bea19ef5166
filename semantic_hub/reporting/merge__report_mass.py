"""What the report shows of the language mass of one spoke's texts."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.mass.texts import TEXT_LANGUAGE
from semantic_hub.models.layers import layer_name
from semantic_hub.reporting.figures import titled

if TYPE_CHECKING:
    import plotly.graph_objects as go


def mass_rows(results: Mapping[str, LanguageMassResult]) -> list[dict[str, Any]]:
    """For each set of texts, layer by layer: the dominant language, its mass, and the entropy.

    Args:
        results: Set name to its mass.

    Returns:
        ``name language n layers dominant own entropy crossover``, numbers rounded nowhere.
    """
    return [{"name": name, **_row(result)} for name, result in results.items()]


def mass_figures(results: Mapping[str, LanguageMassResult]) -> Iterator["go.Figure"]:
    """One stacked figure for each set of texts.

    Args:
        results: Set name to its mass.
    """
    for name, result in results.items():
        yield titled(result.figure(), f"Language mass: {name}")


def _row(result: LanguageMassResult) -> dict[str, Any]:
    language = result.manifest[TEXT_LANGUAGE]
    own = result.mean_mass().value[:, result.languages.index(language)]
    return {
        "language": language,
        "n": len(result.mass),
        "layers": list(map(layer_name, result.layers)),
        "dominant": [leader or "–" for leader in result.dominant],
        "own": own.tolist(),
        "entropy": result.entropy().value.tolist(),
        "crossover": _crossover(result, language),
    }


def _crossover(result: LanguageMassResult, language: str) -> str:
    """Where the texts' own language overtakes another, in words."""
    layer = result.crossover(language)
    if layer is not None:
        return f"at {layer_name(layer)}"
    return "dominant throughout" if set(result.dominant) == {language} else "never"
