"""Five languages of hub-mini's world: their function words, and voices that speak them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from semantic_hub.spokes.arithmetic.spoke import OPERATIONS

DOMINANT = "en"
LANGUAGES = ("en", "es", "fr", "ru", "zh")
"""The dominant language first."""


@dataclass(frozen=True)
class Grammar:
    """The function words and marks of one language."""

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


@dataclass(frozen=True)
class Voice:
    """One language to say things in; `switch` is the share of content words said in English."""

    language: str
    switch: float = 0.0
    rng: np.random.Generator | None = None

    @property
    def grammar(self) -> Grammar:
        """Function words and marks; digits borrow those of English."""
        return GRAMMARS.get(self.language, GRAMMARS[DOMINANT])

    def choose(self, forms: Mapping[str, str]) -> str:
        """One content word, in this language or, code-switched, in English."""
        if self.language != DOMINANT and self.rng is not None and self.rng.random() < self.switch:
            return forms[DOMINANT] if self.grammar.space else f" {forms[DOMINANT]}"
        return forms[self.language]

    def join(self, *parts: str) -> str:
        """Parts of a sentence with the language's own spacing."""
        return self.grammar.space.join(part for part in parts if part)
