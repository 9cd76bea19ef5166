"""Everything that one spoke showed on one model, as one value that can be saved and read back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from semantic_hub.alignment.result import SimilarityResult
from semantic_hub.errors import SemanticHubError, check_kinds, check_names, reading
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.comparison import LensComparison
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.topk import TopTokens
from semantic_hub.plotting.values import Displayable
from semantic_hub.results.files import read_folder, replacing_folder
from semantic_hub.results.result import RESULTS, Highest, Result

if TYPE_CHECKING:
    import pandas as pd

_Kind = TypeVar("_Kind", bound=Result)

SPELLED_OUT = "spelled_out"
"""Group of the prompts that a spoke wants to have shown; all other groups are kinds of results."""

_ORDER = (
    "similarity", "lens", "top_tokens", SPELLED_OUT, "patching", "steering", "text_steering",
    "answer_probability", "language_mass", "lens_comparison",
)  # fmt: skip
"""Groups in the order of frames and pages; kinds that users registered come after these."""

_APART = ("top_tokens", SPELLED_OUT)
"""Groups that `Findings.to_frame` leaves out: tokens, whose frames have columns of their own."""

_COLUMNS = (
    "spoke", "evidence", "set", "row", "lens", "measure", "scorer", "direction", "layer",
    "strength", "place", "outcome", "group", "against", "answer", "value", "low", "high", "p",
    "p_corrected", "margin", "margin_low", "margin_high", "margin_p_corrected", "strongest",
    "vocabulary", "n",
)  # fmt: skip

_INDEX = "findings.json"


@dataclass(frozen=True)
class Findings(Displayable):
    """All results of one spoke on one model.

    Attributes:
        spoke: The spoke's name.
        results: Kind of result to set name to result, such as
            ``results["similarity"]["en – es"]``. The kinds that come with the package have a
            property each; a kind that a user registered is found by its name here.
        left_out: What could not be measured on this model, to the reason.

    Raises:
        SemanticHubError: The spoke or a set has a name that is no text, is empty or has control
            characters.

    Example:
        >>> found = Findings("mine", {"similarity": {"few": sh.similarity(
        ...     model, sh.spokes.language.pairs("en", "es")[:5])}})
        >>> list(found.similarity), dict(found.lens)
        (['few'], {})
    """

    spoke: str
    results: Mapping[str, Mapping[str, Result]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_kinds(
            "Findings",
            spoke=(self.spoke, str),
            results=(self.results, Mapping),
            left_out=(self.left_out, Mapping),
        )
        check_names("Findings", "spoke", [self.spoke])
        for group, sets in self.results.items():
            check_names("Findings", f"set of {group}", sets)
        known = [group for group in _ORDER if self.results.get(group)]
        others = [group for group in self.results if group not in _ORDER and self.results[group]]
        ordered = {group: dict(self.results[group]) for group in (*known, *others)}
        object.__setattr__(self, "results", ordered)

    def _lines(self) -> Iterator[str]:
        results = [result for sets in self.results.values() for result in sets.values()]
        model = results[0].manifest.get("model") if results else None
        yield f"Findings of {self.spoke}" + (f" on {model['name']}" if model else "")
        yield ", ".join(f"{group} {len(sets)}" for group, sets in self.results.items())
        if self.left_out:
            yield f"left out {len(self.left_out)}: {', '.join(self.left_out)}"
        yield 'results["similarity"]["…"]  to_frame()  summary()  save()'

    def _table(self) -> "pd.DataFrame":
        """The number of items and the highest effect of each set."""
        import pandas as pd

        rows = [
            {
                "evidence": group,
                "set": name,
                "n": counts.kept if (counts := result.counts()) else "",
                **(highest._asdict() if (highest := result.highest()) else {}),
            }
            for group, sets in self.results.items()
            if group not in _APART
            for name, result in sets.items()
        ]
        return pd.DataFrame(rows, columns=["evidence", "set", "n", *Highest._fields])

    @property
    def similarity(self) -> Mapping[str, SimilarityResult]:
        """Similarity of each set of pairs."""
        return self._group("similarity", SimilarityResult)

    @property
    def lens(self) -> Mapping[str, LensResult]:
        """Logit lens of each set of read-outs; empty for a model that predicts no next token."""
        return self._group("lens", LensResult)

    @property
    def top_tokens(self) -> Mapping[str, TopTokens]:
        """Top token of each layer at the first few scored read-outs of each set."""
        return self._group("top_tokens", TopTokens)

    @property
    def spelled_out(self) -> Mapping[str, TopTokens]:
        """Top token of each layer at the prompts of ``Spoke.spelled_out``."""
        return self._group(SPELLED_OUT, TopTokens)

    @property
    def patching(self) -> Mapping[str, PatchResult]:
        """Result of each `Patching` among the spoke's interventions."""
        return self._group("patching", PatchResult)

    @property
    def steering(self) -> Mapping[str, SteeringResult]:
        """Result of each `Steering` among the spoke's interventions."""
        return self._group("steering", SteeringResult)

    @property
    def text_steering(self) -> Mapping[str, TextSteeringResult]:
        """Result of each `TextSteering` among the spoke's interventions."""
        return self._group("text_steering", TextSteeringResult)

    @property
    def answer_probability(self) -> Mapping[str, AnswerProbability]:
        """Result of each `AnswerSteering` among the spoke's interventions."""
        return self._group("answer_probability", AnswerProbability)

    @property
    def language_mass(self) -> Mapping[str, LanguageMassResult]:
        """Language mass of each set of texts."""
        return self._group("language_mass", LanguageMassResult)

    @property
    def lens_comparison(self) -> Mapping[str, LensComparison]:
        """The same read-outs through several lenses; empty unless lenses were asked for."""
        return self._group("lens_comparison", LensComparison)

    def to_frame(self) -> "pd.DataFrame":
        """All results as one tidy frame, except top tokens, whose columns differ.

        Returns:
            Columns ``spoke evidence set``, then all those that a result's own ``to_frame`` has, NaN
            where a row's evidence has none, then ``value low high p p_corrected n``. Columns that
            only a user's own kind of result has come last.
        """
        import pandas as pd

        frames = [
            result.to_frame().assign(spoke=self.spoke, evidence=group, set=name)
            for group, sets in self.results.items()
            if group not in _APART
            for name, result in sets.items()
        ]
        if not frames:
            return pd.DataFrame(columns=_COLUMNS)
        joined = pd.concat(frames, ignore_index=True)
        others = [column for column in joined.columns if column not in _COLUMNS]
        return joined.reindex(columns=[*_COLUMNS, *others])

    def save(self, directory: str | Path) -> Path:
        """Save every result below `directory`, with an index for `load`.

        Findings that are there are replaced in one step. Killed before that step, the directory
        still holds the old findings; of several processes that save at once, one leaves its
        findings, whole.

        Raises:
            SemanticHubError: A result holds something that JSON cannot, or writing failed.
        """
        index = Path(directory) / _INDEX
        with replacing_folder(index, "Findings.save") as (folder, write_index):
            entries = []
            for group, sets in self.results.items():
                for name, result in sets.items():
                    place = f"{len(entries)}"
                    result.save(folder / place)
                    about = {"group": group, "name": name, "kind": result.kind, "folder": place}
                    entries.append(about)
            write_index({"spoke": self.spoke, "left_out": dict(self.left_out), "results": entries})
        return index.parent

    @classmethod
    def load(cls, directory: str | Path) -> "Findings":
        """Read back what `save` wrote.

        Raises:
            SemanticHubError: No findings there, those of another format, a damaged index or
                results, or a kind of result whose class is not imported.
        """
        path = Path(directory) / _INDEX
        about: dict[str, Any] = {
            "expected": "the directory that Findings.save wrote",
            "fix": "Give the whole directory.",
        }
        index, folder = read_folder(path, "Findings.load", **about)
        results: dict[str, dict[str, Result]] = {}
        with reading("Findings.load", path, **about):
            for entry in index["results"]:
                result = class_of(entry["kind"]).load(folder / Path(entry["folder"]).name)
                results.setdefault(entry["group"], {})[entry["name"]] = result
            return cls(index["spoke"], results, dict(index["left_out"]))

    def _group(self, group: str, kind: type[_Kind]) -> Mapping[str, _Kind]:
        return cast("Mapping[str, _Kind]", self.results.get(group, {}))


def class_of(kind: str) -> type[Result]:
    """Class of the results of a kind.

    Args:
        kind: Such as ``"similarity"``.

    Raises:
        SemanticHubError: A kind whose class is not imported.

    Example:
        >>> class_of("similarity").__name__
        'SimilarityResult'
    """
    if kind in RESULTS:
        return RESULTS[kind]
    raise SemanticHubError(
        "Findings.load",
        got=f"results of the kind {kind!r}",
        expected=f"one of {', '.join(RESULTS)}",
        fix="Import the module that defines this kind of result, then load again.",
    )
