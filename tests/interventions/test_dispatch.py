"""A registry of interventions: a kind of one's own, and specifications that nobody can run."""

from dataclasses import dataclass
from typing import Any

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.dispatch import intervene, register_intervention
from semantic_hub.lenses.topk import TopTokens, top_tokens
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.statistics.resampling import Resampling


@dataclass(frozen=True)
class Reading:
    """Prompts whose top tokens are read: the simplest kind of one's own."""

    prompts: tuple[Prompt, ...]


@dataclass(frozen=True)
class LongReading(Reading):
    """A subclass, which is run as its parent is."""


@dataclass(frozen=True)
class Unknown:
    """A specification without a runner."""


def read(model: Any, spec: Reading, *, resampling: Resampling) -> TopTokens:
    return top_tokens(model, spec.prompts, k=resampling.seed)


def test_a_class_and_its_subclasses_are_run_by_their_runner(model: Any) -> None:
    register_intervention(Reading, read, replace=True)
    for spec_class in (Reading, LongReading):
        result = intervene(model, spec_class((Prompt("The dog"),)), resampling=Resampling(seed=5))
        assert isinstance(result, TopTokens) and result.tokens.shape[-1] == 5


def test_a_class_has_one_runner() -> None:
    register_intervention(Reading, read, replace=True)
    with pytest.raises(SemanticHubError, match="got Reading, which already has a runner"):
        register_intervention(Reading, read)


def test_an_unknown_class_is_told_how_to_register(model: Any) -> None:
    message = (
        r"got spec, a Unknown; expected one of Patching, Steering, .*register_intervention\(Unknown"
    )
    with pytest.raises(SemanticHubError, match=message):
        intervene(model, Unknown())


def test_a_value_is_no_class(without_shape_checks: None) -> None:
    with pytest.raises(SemanticHubError, match="a class of specifications"):
        register_intervention(Reading(()), read)  # type: ignore[arg-type]
