"""Patch pairs between two notations: who is whose partner, and which answers they compare."""

from collections import Counter

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.routes import Route, averaged_routes, make_pairs, patchings, ring_routes
from semantic_hub.spokes.sampling import evenly_spaced

WORDS = {
    "dog": {"en": "dog", "es": "perro", "fr": "chien"},
    "cat": {"en": "cat", "es": "gato", "fr": "chat"},
    "taxi": {"en": "taxi", "es": "taxi", "fr": "Taxi"},
}


def swapped(items, sources, base, **options):
    return make_pairs(
        items, sources, base, lambda i, n: f"{n}: {i}", lambda i, n: WORDS[i][n], **options
    )


def test_one_pair_by_hand() -> None:
    first, second = swapped(["dog", "cat"], ("es",), "fr")
    assert first.sources == (Prompt("es: dog"),)
    assert first.base == Prompt("fr: cat")
    assert first.reference == Prompt("fr: dog")
    assert first.answers == {
        "source": ("chien",),
        "base": ("chat",),
        "source's notation": ("perro",),
    }
    assert second.base == Prompt("fr: dog")


def test_an_answer_that_is_spelled_like_another_leaves_its_pair_out() -> None:
    found = swapped(["dog", "cat", "taxi"], ("es",), "fr")
    assert [e.sources[0].text for e in found] == ["es: dog", "es: cat"]


def test_averaged_sources_keep_the_words_that_are_their_own() -> None:
    words = WORDS | {"bus": {"en": "bus", "es": "autobús", "fr": "bus"}}
    found = make_pairs(
        ["bus", "dog"], ("en", "es"), "fr", lambda i, n: f"{n}: {i}", lambda i, n: words[i][n]
    )
    assert [p.text for p in found[0].sources] == ["en: bus", "es: bus"]
    assert found[0].answers["source's notation"] == ("autobús",)


def test_partners_have_another_answer_and_are_of_one_kind() -> None:
    items = list(range(200))
    found = make_pairs(
        items,
        ("x",),
        "y",
        lambda item, notation: f"{item}",
        lambda item, notation: f"{notation}{item % 7}",
        kind=lambda item: str(item % 2),
        at_most=200,
    )
    pairs = [(int(e.sources[0].text or ""), int(e.base.text or "")) for e in found]
    assert [source for source, _ in pairs] == items
    assert all(a % 7 != b % 7 and a % 2 == b % 2 for a, b in pairs)
    assert max(Counter(b for _, b in pairs).values()) <= 4


def test_the_seed_decides_who_goes_into_whom() -> None:
    items = [f"{number}" for number in range(50)]
    first, again, other = (
        [
            e.base.text
            for e in make_pairs(items, ("x",), "y", lambda i, n: i, lambda i, n: n + i, seed=s)
        ]
        for s in (0, 0, 1)
    )
    assert first == again != other


def test_items_without_a_partner_are_left_out() -> None:
    assert swapped(["dog"], ("es",), "fr") == ()
    assert patchings({"none": (), "some": swapped(["dog", "cat"], ("es",), "fr")}).keys() == {
        "some"
    }


def test_routes() -> None:
    assert [route.name for route in ring_routes(("a", "b"))] == ["a -> b", "b -> a"]
    assert averaged_routes(("a", "b"), ("a", "b", "c")) == [
        Route(("b", "c"), "a"),
        Route(("a", "c"), "b"),
    ]
    assert averaged_routes(("a",), ("a", "b")) == []
    assert averaged_routes(("a",), ("a", "b", "c"))[0].name == "all -> a"


@pytest.mark.parametrize(
    ("n", "at_most", "places"),
    [(10, 5, [0, 2, 4, 6, 8]), (3, 100, [0, 1, 2]), (7, 1, [0]), (0, 4, [])],
)
def test_evenly_spaced(n: int, at_most: int, places: list) -> None:
    assert list(evenly_spaced(range(n), at_most)) == places


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: swapped(["dog", "cat"], ("fr",), "fr"), "patch_pairs: got from fr into fr"),
        (lambda: swapped(["dog", "cat"], (), "fr"), "got from none into fr"),
        (lambda: swapped(["dog", "cat"], ("es",), "fr", at_most=0), "got at_most=0"),
    ],
)
def test_bad_input(call, told: str) -> None:
    with pytest.raises(SemanticHubError, match=told):
        call()
