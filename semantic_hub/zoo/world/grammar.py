"""Function words of the five languages of hub-mini's world, and voices that use them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from semantic_hub.spokes.arithmetic.items import OPERATIONS

DOMINANT = "en"
"""Language of most of the training text."""

LANGUAGES = ("en", "es", "fr", "ru", "zh")
"""Languages of the world, the dominant one first."""


@dataclass(frozen=True)
class Grammar:
    """Function words and punctuation of one language, and the order of a sentence."""

    colon: str
    comma: str
    stop: str
    space: str
    attributes: Mapping[str, str]
    operations: Mapping[str, str]
    days: tuple[str, ...]
    order: str = "who what whom where when"


_DAYS_ES = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_ATTRIBUTES = ("color", "material", "place", "language")


def _attributes(words: str) -> Mapping[str, str]:
    """Names of the attributes in a language."""
    return dict(zip(_ATTRIBUTES, words.split(), strict=True))


GRAMMARS: Mapping[str, Grammar] = {
    "en": Grammar(
        ": ", ", ", ".", " ",
        _attributes("colour material place language"),
        OPERATIONS["en"],
        ("on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday",
         "on Sunday"),
    ),
    "es": Grammar(
        ": ", ", ", ".", " ",
        _attributes("color material lugar idioma"),
        OPERATIONS["es"],
        tuple(f"el {day}" for day in _DAYS_ES),
    ),
    "fr": Grammar(
        " : ", ", ", ".", " ",
        _attributes("couleur matière lieu langue"),
        OPERATIONS["fr"],
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    ),
    "ru": Grammar(
        ": ", ", ", ".", " ",
        _attributes("цвет материал место язык"),
        OPERATIONS["ru"],
        ("в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу",
         "в воскресенье"),
    ),
    "zh": Grammar(
        "：", "，", "。", "",
        _attributes("颜色 材料 地点 语言"),
        OPERATIONS["zh"],
        ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
        order="who when where what whom",
    ),
}  # fmt: skip
"""Mapping from language to its grammar."""


@dataclass(frozen=True)
class Voice:
    """Language to write meanings in; `switch` is the share of content words left in English."""

    language: str
    switch: float = 0.0
    rng: np.random.Generator | None = None

    @property
    def grammar(self) -> Grammar:
        """Function words and punctuation; those of English for digits and formal languages."""
        return GRAMMARS.get(self.language, GRAMMARS[DOMINANT])

    def choose(self, forms: Mapping[str, str]) -> str:
        """Choose the form of a content word: this language's or, code-switched, the English one."""
        if self.language != DOMINANT and self.rng is not None and self.rng.random() < self.switch:
            return forms[DOMINANT] if self.grammar.space else f" {forms[DOMINANT]}"
        return forms[self.language]

    def join(self, *parts: str) -> str:
        """Join the parts of a sentence with the language's spacing."""
        return self.grammar.space.join(part for part in parts if part)
