"""One spoke measured on one model: every evidence on every named set of its data."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from semantic_hub.errors import SemanticHubError
from semantic_hub.lens import logit_lens
from semantic_hub.lens_result import LensResult
from semantic_hub.models import HookedModel, check_model, predicts_next_token, random_twin
from semantic_hub.pairs import Pairs
from semantic_hub.prompts import Readout
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
        """Every number as a tidy frame: ``spoke evidence set`` and the results' own columns."""
        import pandas as pd

        return pd.concat(
            [
                result.to_frame().assign(spoke=self.spoke, evidence=evidence, set=name)
                for evidence, results in self._evidence()
                for name, result in results.items()
            ],
            ignore_index=True,
        )

    def save(self, directory: str | Path) -> Path:
        """Write every result into a folder of its own below `directory`; an index goes last."""
        directory = Path(directory)
        index: dict[str, dict[str, str]] = {}
        for evidence, results in self._evidence():
            places = {name: f"{evidence}-{place}" for place, name in enumerate(results)}
            for name, result in results.items():
                result.save(directory / places[name])
            index[evidence] = places
        content = to_json({"spoke": self.spoke, **index}, "Findings.save")
        write_atomically(directory / _INDEX, content.encode())
        return directory

    @classmethod
    def load(cls, directory: str | Path) -> "Findings":
        """Read back what `save` wrote.

        Raises:
            SemanticHubError: No findings there, or results that are damaged.
        """
        directory = Path(directory)
        try:
            index = json.loads((directory / _INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SemanticHubError(
                "Findings.load",
                got=f"{directory / _INDEX}: {type(error).__name__}",
                expected="the directory that Findings.save wrote",
                fix="Give the whole directory.",
            ) from None
        return cls(
            index["spoke"],
            {n: SimilarityResult.load(directory / p) for n, p in index["similarity"].items()},
            {n: LensResult.load(directory / p) for n, p in index["lens"].items()},
            {n: TopTokens.load(directory / p) for n, p in index["says"].items()},
        )

    def _evidence(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield "similarity", self.similarity
        yield "lens", self.lens
        yield "says", self.says


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
