"""The registry: what is added is found, what is not there is refused with the nearest name."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.registry import Registry


@pytest.fixture
def lenses() -> Registry[int]:
    registry = Registry[int]("lens")
    registry.register("logit", 1)
    registry.register("tuned", 2)
    return registry


def test_it_is_a_mapping_in_the_order_of_registration(lenses) -> None:
    assert dict(lenses) == {"logit": 1, "tuned": 2}
    assert list(lenses) == ["logit", "tuned"]
    assert len(lenses) == 2 and "tuned" in lenses and "raw" not in lenses
    assert None not in lenses and ["tuned"] not in lenses
    assert lenses.get("logit") == 1


def test_an_unknown_name_is_refused_with_the_nearest(lenses) -> None:
    with pytest.raises(SemanticHubError, match=r"^lens: got 'logits'; expected one of 'logit', "
                       r"'tuned'\. Did you mean 'logit'\?$"):  # fmt: skip
        lenses["logits"]
    with pytest.raises(SemanticHubError, match=r"got 'x'; .* Name one of these\."):
        lenses["x"]
    with pytest.raises(SemanticHubError, match="none so far"):
        Registry[int]("measure")["cosine"]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", [3, None, ["logit"]])
def test_what_is_no_name_is_refused(lenses, name) -> None:
    with pytest.raises(SemanticHubError, match="lens: got"):
        lenses[name]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ["", "  ", 3])
def test_a_name_has_letters(lenses, name) -> None:
    with pytest.raises(SemanticHubError, match="register a lens: got the name"):
        lenses.register(name, 3)


def test_a_name_in_use_is_replaced_only_if_asked(lenses) -> None:
    with pytest.raises(SemanticHubError, match="'logit', which is in use"):
        lenses.register("logit", 3)
    assert lenses["logit"] == 1
    lenses.register("logit", 3, replace=True)
    assert lenses["logit"] == 3


def test_what_is_removed_is_gone(lenses) -> None:
    lenses.unregister("logit")
    assert list(lenses) == ["tuned"]
    with pytest.raises(SemanticHubError, match="got 'logit'"):
        lenses.unregister("logit")
