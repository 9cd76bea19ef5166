"""Texts of one language, from which a spoke's language mass is measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from semantic_hub.errors import SemanticHubError, as_list, set_tuples
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Prompt, as_prompts
from semantic_hub.statistics.resampling import Resampling


@dataclass(frozen=True)
class LanguageTexts:
    """Texts of one language, and the languages whose mass is measured in them.

    Args:
        prompts: The texts.
        language: The language of the texts, one of `languages`.
        languages: At least two codes, as `semantic_hub.lenses.mass.measure` takes them.

    Raises:
        SemanticHubError: No texts, or a language that is not among the others.

    Example:
        >>> LanguageTexts.of(["el perro"], "es", ("en", "es")).prompts[0].text
        'el perro'
    """

    prompts: tuple[Prompt, ...]
    language: str
    languages: tuple[str, ...]
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, prompts=Prompt, languages=str)
        if not self.prompts or self.language not in self.languages:
            raise SemanticHubError(
                "LanguageTexts",
                got=f"{len(self.prompts)} texts in {self.language!r} of {self.languages}",
                expected="texts, and their language among those that are measured",
                fix="Add the language of the texts to the languages.",
            )

    @classmethod
    def of(
        cls, texts: str | Sequence[str], language: str, languages: Sequence[str]
    ) -> "LanguageTexts":
        """Make language texts from plain strings.

        Args:
            texts: The texts.
            language: Their language.
            languages: Languages whose mass is measured, this one among them.

        Raises:
            SemanticHubError: No texts, or a language that is not among the others.
        """
        names = as_list("LanguageTexts.of", "languages", languages, str)
        prompts = as_prompts("LanguageTexts.of", "texts", texts)
        return cls(tuple(prompts), language, tuple(names))


def mass_of_texts(
    model: HookedModel, texts: LanguageTexts, *, resampling: Resampling = Resampling()
) -> LanguageMassResult:
    """Call `language_mass` on a spoke's `LanguageTexts`, with their language and languages.

    Args:
        model: A decoder.
        texts: One of the values of a spoke's ``texts()``.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: As `semantic_hub.lenses.mass.measure`.

    Example:
        >>> texts = LanguageTexts.of(["el perro es negro"], "es", ("en", "es"))
        >>> mass_of_texts(model, texts).text_language
        'es'
    """
    return language_mass(
        model,
        texts.prompts,
        texts.languages,
        text_language=texts.language,
        resampling=resampling,
    )
