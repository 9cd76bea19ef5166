"""What one spoke showed on one model, as one value that can be saved and read back."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.alignment.result import SimilarityResult
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.comparison import LensComparison
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.topk import TopTokens
from semantic_hub.results import Result, to_json, write_atomically

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Findings:
    """What one spoke showed on one model.

    Attributes:
        spoke: The spoke's name.
        similarity: Set name to result.
        lens: Set name to result; empty for a model that predicts no next token.
        says: Set name to the top token of each layer at its first few scored read-outs, and name to
            that of the prompts that the spoke has spelled out.
        patching: Set name to result; the four causal ones are empty for a spoke without
            interventions, and for a model that predicts no next token.
        steering: Set name to result.
        texts: Set name to result.
        answers: Set name to result.
        mass: Set name to the language mass of its texts; empty for a spoke without texts.
        lenses: Set name to the same read-outs through several lenses; empty unless asked for.
        left_out: What could not be measured on this model, to the reason.
    """

    spoke: str
    similarity: Mapping[str, SimilarityResult]
    lens: Mapping[str, LensResult]
    says: Mapping[str, TopTokens]
    patching: Mapping[str, PatchResult] = field(default_factory=dict)
    steering: Mapping[str, SteeringResult] = field(default_factory=dict)
    texts: Mapping[str, TextSteeringResult] = field(default_factory=dict)
    answers: Mapping[str, AnswerProbability] = field(default_factory=dict)
    mass: Mapping[str, LanguageMassResult] = field(default_factory=dict)
    lenses: Mapping[str, LensComparison] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def to_frame(self) -> "pd.DataFrame":
        """Every number as a tidy frame; the top tokens of `says` have frames of their own.

        Returns:
            Columns ``spoke evidence set``, then all those that a result's own ``to_frame`` has, NaN
            where a row's evidence has none, then ``value low high p p_corrected n``.
        """
        import pandas as pd

        frames = [
            result.to_frame().assign(spoke=self.spoke, evidence=evidence, set=name)
            for evidence in _TIDY
            for name, result in getattr(self, evidence).items()
        ]
        if not frames:
            return pd.DataFrame(columns=_COLUMNS)
        return pd.concat(frames, ignore_index=True).reindex(columns=_COLUMNS)

    def save(self, directory: str | Path) -> Path:
        """Write every result into a folder of its own below `directory`; an index goes last.

        Findings that are there are replaced in one step: new folders are written beside the old
        ones, then the index is moved into place, then the old folders go. Killed before that
        step, the directory still holds the old findings.

        Raises:
            SemanticHubError: A result holds something that JSON cannot.
        """
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        old = _old_places(directory)
        names = {evidence: list(getattr(self, evidence)) for evidence in _EVIDENCE}
        index = {
            "spoke": self.spoke,
            "generation": _fresh_generation(directory),
            "left_out": dict(self.left_out),
            **names,
        }
        for evidence, name, place in _places(index):
            getattr(self, evidence)[name].save(directory / place)
        write_atomically(directory / _INDEX, to_json(index, "Findings.save").encode())
        for place in old:
            shutil.rmtree(directory / place, ignore_errors=True)
        return directory

    @classmethod
    def load(cls, directory: str | Path) -> "Findings":
        """Read back what `save` wrote.

        Raises:
            SemanticHubError: No findings there, an index or results that are damaged.
        """
        directory = Path(directory)
        index = _read_index(directory)
        found: dict[str, Any] = {evidence: {} for evidence in _EVIDENCE}
        for evidence, name, place in _places(index):
            found[evidence][name] = _EVIDENCE[evidence].load(directory / place)
        return cls(index["spoke"], left_out=index["left_out"], **found)


_INDEX = "findings.json"
_EVIDENCE: Mapping[str, type[Result]] = {
    "similarity": SimilarityResult,
    "lens": LensResult,
    "says": TopTokens,
    "patching": PatchResult,
    "steering": SteeringResult,
    "texts": TextSteeringResult,
    "answers": AnswerProbability,
    "mass": LanguageMassResult,
    "lenses": LensComparison,
}
_TIDY = ("similarity", "lens", "patching", "steering", "texts", "answers", "mass", "lenses")
_COLUMNS = (
    "spoke", "evidence", "set", "row", "lens", "measure", "scorer", "direction", "layer",
    "strength", "place", "outcome", "group", "against", "answer", "value", "low", "high", "p",
    "p_corrected", "margin", "margin_low", "margin_high", "margin_p_corrected", "strongest",
    "vocabulary", "n",
)  # fmt: skip


def _places(index: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Evidence, set name and folder of every result."""
    for evidence in _EVIDENCE:
        for number, name in enumerate(index[evidence]):
            yield evidence, name, f"{evidence}-{index['generation']}-{number}"


def _fresh_generation(directory: Path) -> int:
    """The first number that no result's folder bears, whether the index names it or not."""
    return next(number for number in count() if not any(directory.glob(f"*-{number}-*")))


def _old_places(directory: Path) -> list[str]:
    """The folders that the index names; none where there is no sound index."""
    try:
        return [place for _, _, place in _places(_read_index(directory))]
    except SemanticHubError:
        return []


def _read_index(directory: Path) -> dict[str, Any]:
    path = directory / _INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        problem = "" if _is_index(index) else "an index that Findings.save did not write"
    except (OSError, ValueError) as error:
        index, problem = {}, type(error).__name__
    if not problem:
        return index
    raise SemanticHubError(
        "Findings.load",
        got=f"{path}: {problem}",
        expected="the directory that Findings.save wrote",
        fix="Give the whole directory.",
    )


def _is_index(index: Any) -> bool:
    """Whether it holds the spoke's name, the generation, and each evidence's set names."""
    if not isinstance(index, dict):
        return False
    names = [index.get(evidence) for evidence in _EVIDENCE]
    return (
        isinstance(index.get("spoke"), str)
        and isinstance(index.get("generation"), int)
        and isinstance(index.get("left_out"), dict)
        and all(isinstance(some, list) for some in names)
        and all(isinstance(name, str) for some in names for name in some or ())
    )
