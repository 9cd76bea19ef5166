"""One spoke measured on one model: every evidence on every named set of its data."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from semantic_hub.errors import SemanticHubError
from semantic_hub.lens import logit_lens
from semantic_hub.lens_result import LensResult
from semantic_hub.models import HookedModel, check_model, predicts_next_token, random_twin
from semantic_hub.pairs import Pairs
from semantic_hub.prompts import Readout
from semantic_hub.results import Result
from semantic_hub.similarity import SimilarityResult, similarity
from semantic_hub.storage import to_json, write_atomically
from semantic_hub.top_tokens import TopTokens, top_tokens

if TYPE_CHECKING:
    import pandas as pd

RANDOM_TWIN = "random twin"
"""The control row that every similarity of `run` has."""

Progress = Callable[[str], None]


@runtime_checkable
class Spoke(Protocol):
    """One data type: named sets of pairs and of read-outs. A new spoke is one class like this.

    Example:
        >>> class Greetings:
        ...     name = "greetings"
        ...     def pairs(self):
        ...         return {"en – es": Pairs.from_prompts(["hello", "bye"], ["hola", "adiós"])}
        ...     def readouts(self):
        ...         return {}
        >>> isinstance(Greetings(), Spoke)
        True
    """

    @property
    def name(self) -> str:
        """What the spoke is called in results; a plain attribute will do."""
        ...

    def pairs(self) -> Mapping[str, Pairs]:
        """Set name to pairs with the same meaning, for the similarity."""
        ...

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Set name to read-outs, for the lens; each set names the same groups throughout."""
        ...


@dataclass(frozen=True)
class Findings:
    """What one spoke showed on one model.

    Attributes:
        spoke: The spoke's name.
        similarity: Set name to result.
        lens: Set name to result; empty for a model that predicts no next token.
        says: Set name to the top token of each layer at its first few scored read-outs.
    """

    spoke: str
    similarity: Mapping[str, SimilarityResult]
    lens: Mapping[str, LensResult]
    says: Mapping[str, TopTokens]

    def to_frame(self) -> "pd.DataFrame":
        """Every number as a tidy frame; the top tokens of `says` have frames of their own.

        Returns:
            Columns ``spoke evidence set``, then those of `SimilarityResult.to_frame` and
            `LensResult.to_frame`; NaN in the columns that belong to the other evidence alone.
        """
        import pandas as pd

        frames = [
            result.to_frame().assign(spoke=self.spoke, evidence=evidence, set=name)
            for evidence, results in (("similarity", self.similarity), ("lens", self.lens))
            for name, result in results.items()
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
        index = {"spoke": self.spoke, "generation": _fresh_generation(directory), **names}
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
        return cls(index["spoke"], **found)


def run(
    model: HookedModel,
    spoke: Spoke,
    *,
    resamples: int = 1000,
    permutations: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Measure a spoke on a model: `similarity` (with a random twin) and `logit_lens`, set by set.

    Of each set of read-outs the first few are also shown word for word (`top_tokens`).

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``; an encoder gets no lens.
        spoke: Where the data come from.
        resamples: Bootstrap resamples.
        permutations: Pairings of the permutation test.
        confidence: Coverage of the intervals.
        seed: Of resamples, pairings and the twin's weights.
        progress: Called with a line of text before each set.

    Raises:
        SemanticHubError: Something that is no spoke, or bad input to the measures.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> problems = sh.spokes.arithmetic.problems("+")[::40]
        >>> findings = sh.run(model, sh.spokes.arithmetic.ArithmeticSpoke(items=problems))
        >>> findings.spoke, "c=a+, digits" in findings.lens
        ('arithmetic', True)
    """
    check_model(model)
    if not isinstance(spoke, Spoke):
        raise SemanticHubError(
            "run",
            got=f"a {type(spoke).__name__}",
            expected="a spoke: name, pairs() and readouts()",
            fix="See semantic_hub.experiment.Spoke.",
        )
    say = progress or (lambda line: None)
    settings: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
    controls = {RANDOM_TWIN: random_twin(model, seed)}
    alike, read, says = {}, {}, {}
    for name, pairs in spoke.pairs().items():
        say(f"{spoke.name}: similarity, {name}")
        alike[name] = similarity(
            model, pairs, permutations=permutations, controls=controls, **settings
        )
    for name, readouts in spoke.readouts().items() if predicts_next_token(model) else ():
        say(f"{spoke.name}: lens, {name}")
        read[name] = logit_lens(model, readouts, **settings)
        shown = read[name].kept[:_SHOWN]
        says[name] = top_tokens(model, [readouts[index].prompt for index in shown], k=1)
    return Findings(spoke.name, alike, read, says)


_INDEX = "findings.json"
_SHOWN = 3
_EVIDENCE: Mapping[str, type[Result]] = {
    "similarity": SimilarityResult,
    "lens": LensResult,
    "says": TopTokens,
}
_COLUMNS = (
    "spoke", "evidence", "set", "row", "measure", "layer", "group", "against", "value", "low",
    "high", "p", "p_corrected", "n",
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
        and all(isinstance(some, list) for some in names)
        and all(isinstance(name, str) for some in names for name in some or ())
    )
