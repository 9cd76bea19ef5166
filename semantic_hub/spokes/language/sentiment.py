"""Steer the sentiment of texts in one language by a pair of words of another language.

The words for *good* and *bad* are those of Wu et al. 2025 in English, Spanish and Chinese. The
prompts are neutral openings; a sentence before each announces the language, because models
otherwise tend to switch to the dominant one.
"""

from collections.abc import Mapping, Sequence

from semantic_hub.errors import SemanticHubError, as_list
from semantic_hub.interventions.spec import ActivationContrast, TextSteering
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.language.share import language_share
from semantic_hub.spokes.lexicon.languages import is_unspaced

WORDS: Mapping[str, tuple[str, str]] = {
    "en": ("Good", "Bad"),
    "es": ("Bueno", "Malo"),
    "fr": ("Bon", "Mauvais"),
    "de": ("Gut", "Schlecht"),
    "zh": ("好", "坏"),
    "ru": ("Хорошо", "Плохо"),
}
"""Mapping from language to its words of good and of bad sentiment."""

ANNOUNCEMENTS: Mapping[str, str] = {
    "en": "All of the following text is in English.",
    "es": "Todo el texto siguiente está en español.",
    "fr": "Tout le texte qui suit est en français.",
    "de": "Der ganze folgende Text ist auf Deutsch.",
    "zh": "接下来的文字全部是中文的。",
    "ru": "Весь следующий текст на русском языке.",
}
"""Sentence before a prompt that announces the language, in each language."""

OPENINGS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Yesterday I went to the new restaurant and",
        "The film that we saw last night was",
        "My neighbour called me this morning and told me that",
        "After three weeks with this phone I think that",
        "The hotel was next to the station and the room",
        "When I opened the door, I saw that",
        "The doctor looked at the results and said that",
        "Our trip to the mountains was",
        "The teacher read my essay and wrote that",
        "I have worked for this company for a year and",
        "The book that you gave me is",
        "The weather this weekend was",
    ),
    "es": (
        "Ayer fui al restaurante nuevo y",
        "La película que vimos anoche fue",
        "Mi vecina me llamó esta mañana y me dijo que",
        "Después de tres semanas con este teléfono pienso que",
        "El hotel estaba al lado de la estación y la habitación",
        "Cuando abrí la puerta, vi que",
        "El médico miró los resultados y dijo que",
        "Nuestro viaje a la montaña fue",
        "La profesora leyó mi redacción y escribió que",
        "Llevo un año trabajando en esta empresa y",
        "El libro que me regalaste es",
        "El tiempo de este fin de semana fue",
    ),
    "fr": (
        "Hier, je suis allé au nouveau restaurant et",
        "Le film que nous avons vu hier soir était",
        "Ma voisine m'a appelé ce matin et m'a dit que",
        "Après trois semaines avec ce téléphone, je pense que",
        "L'hôtel était à côté de la gare et la chambre",
        "Quand j'ai ouvert la porte, j'ai vu que",
        "Le médecin a regardé les résultats et a dit que",
        "Notre voyage à la montagne était",
        "La professeure a lu ma rédaction et a écrit que",
        "Je travaille dans cette entreprise depuis un an et",
        "Le livre que tu m'as offert est",
        "Le temps de ce week-end était",
    ),
    "de": (
        "Gestern war ich im neuen Restaurant und",
        "Der Film, den wir gestern Abend gesehen haben, war",
        "Meine Nachbarin hat mich heute Morgen angerufen und gesagt, dass",
        "Nach drei Wochen mit diesem Telefon denke ich, dass",
        "Das Hotel lag neben dem Bahnhof und das Zimmer",
        "Als ich die Tür öffnete, sah ich, dass",
        "Der Arzt sah sich die Ergebnisse an und sagte, dass",
        "Unsere Reise in die Berge war",
        "Die Lehrerin las meinen Aufsatz und schrieb, dass",
        "Ich arbeite seit einem Jahr in dieser Firma und",
        "Das Buch, das du mir geschenkt hast, ist",
        "Das Wetter an diesem Wochenende war",
    ),
    "zh": (
        "昨天我去了那家新餐厅，",
        "我们昨晚看的那部电影",
        "今天早上邻居给我打电话说，",
        "这部手机我用了三个星期，我觉得",
        "酒店就在车站旁边，房间",
        "我打开门，看见",
        "医生看了检查结果后说，",
        "我们这次去山里旅行",
        "老师读了我的作文，写道",
        "我在这家公司工作了一年，",
        "你送给我的那本书",
        "这个周末的天气",
    ),
    "ru": (
        "Вчера я был в новом ресторане, и",
        "Фильм, который мы смотрели вчера вечером, был",
        "Соседка позвонила мне сегодня утром и сказала, что",
        "После трёх недель с этим телефоном я думаю, что",
        "Гостиница была рядом с вокзалом, а номер",
        "Когда я открыл дверь, я увидел, что",
        "Врач посмотрел результаты и сказал, что",
        "Наша поездка в горы была",
        "Учительница прочитала моё сочинение и написала, что",
        "Я работаю в этой компании уже год, и",
        "Книга, которую ты мне подарил,",
        "Погода в эти выходные была",
    ),
}
"""Mapping from language to neutral openings of texts, the same in each language."""


def sentiment_steering(
    language: str,
    dominant: str = "en",
    *,
    scorers: Mapping[str, Scorer] | None = None,
    openings: str | Sequence[str] | None = None,
    announced: bool = True,
    depths: float | Sequence[float] | None = None,
    strengths: float | int | Sequence[float | int] = (5.0,),
    sampling: Sampling | None = None,
) -> TextSteering:
    """Steering of sentiment by h(good) − h(bad), in words of the dominant and the texts' language.

    As in the paper, the difference h(good) − h(bad) is added at the first token of the prompt. In
    the paper it is taken over all tokens of the words, here at their last token, which is the same
    for words of one token.

    Args:
        language: A language of `WORDS`.
        dominant: Another language of `WORDS`, or the same.
        scorers: Scorers of the texts by name, such as
            `semantic_hub.interventions.text.scorers.sentiment_classifier` and
            `semantic_hub.interventions.text.scorers.relevance`; None for ``"in <language>"`` only,
            the share of the text that is in the language, which needs the ``wordfreq`` package.
            (Perplexity is added by `semantic_hub.interventions.dispatch.intervene`.)
        openings: Texts to continue; None for `OPENINGS`.
        announced: Whether to put the language's announcement before each of them.
        depths: Layers to steer, as fractions of the model's depth; None for every layer. The
            paper: 17 of 32.
        strengths: Factors of the difference. The paper: 5.
        sampling: How to sample; None for the defaults of `Sampling`, the paper's settings.

    Raises:
        SemanticHubError: A language that is not one of `WORDS`.

    Example:
        >>> experiment = sentiment_steering("es", scorers={})
        >>> list(experiment.contrasts), experiment.prompts[-1].text
        (['en', 'es'],
         'Todo el texto siguiente está en español. El tiempo de este fin de semana fue')

    Source:
        Wu et al. 2025, arXiv 2411.04986 (text in Spanish and Chinese, steered in English).
    """
    for code in (language, dominant):
        if code not in WORDS:
            raise SemanticHubError(
                "sentiment_steering",
                got=f"language {code!r}",
                expected=f"one of {', '.join(WORDS)}",
                fix="Build a TextSteering from your own words and prompts.",
            )
    if scorers is None:
        scorers = {f"in {language}": language_share(language)}
    operation = "sentiment_steering"
    chosen = OPENINGS[language] if openings is None else openings
    texts = as_list(operation, "openings", chosen, str)
    announcement = ANNOUNCEMENTS[language] + ("" if is_unspaced(language) else " ")
    prefix = announcement if announced else ""
    return TextSteering(
        prompts=tuple(Prompt(prefix + opening) for opening in texts),
        contrasts={code: _contrast(code) for code in dict.fromkeys((dominant, language))},
        scorers=scorers,
        depths=None if depths is None else tuple(as_list(operation, "depths", depths, float)),
        strengths=tuple(as_list(operation, "strengths", strengths, float)),
        positions=(0, 1),
        sampling=sampling or Sampling(),
    )


def _contrast(language: str) -> ActivationContrast:
    good, bad = WORDS[language]
    return ActivationContrast((Prompt(good),), (Prompt(bad),))
