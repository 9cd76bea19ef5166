"""A registered spoke is available by name; one that a model cannot have is refused with a reason."""

from collections.abc import Iterator

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.reporting.defaults import chosen_spokes, known_spokes
from semantic_hub.spokes.registry import SPOKES, register_spoke


class Mine(Spoke):
    name = "mine"


@pytest.fixture
def mine() -> Iterator[None]:
    register_spoke("mine", lambda model: Mine())
    yield
    SPOKES.unregister("mine")


def test_a_registered_spoke_is_available_by_name(model, mine) -> None:
    assert "mine" in known_spokes(model)
    [spoke] = chosen_spokes(model, ["mine"])
    assert isinstance(spoke, Mine)


@pytest.mark.parametrize("name", ["language", "arithmetic", "code", "semantics"])
def test_the_spokes_of_the_package_are_made_by_name(model, name: str) -> None:
    [spoke] = chosen_spokes(model, [name])
    assert isinstance(spoke, Spoke) and spoke.name == name


@pytest.mark.parametrize("name", ["vision", "audio"])
def test_a_spoke_that_a_model_cannot_have_is_refused_with_the_reason(model, name: str) -> None:
    with pytest.raises(SemanticHubError, match=r"cannot have this one: .* need an encoder"):
        chosen_spokes(model, [name])


def test_the_nearest_name_is_suggested(model) -> None:
    with pytest.raises(SemanticHubError, match="Did you mean 'arithmetic'"):
        chosen_spokes(model, ["arithmetics"])
