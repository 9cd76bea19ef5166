"""Calibration: what it counts, what it accepts, and that its page is a function of its seeds."""

import itertools
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.measures import MEASURES
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.p_values import permutation_p_values
from semantic_hub.zoo.calibration.__main__ import main
from semantic_hub.zoo.calibration.anisotropy import CANDIDATES, Anisotropy
from semantic_hub.zoo.calibration.chart import power_chart
from semantic_hub.zoo.calibration.nulls import (
    ALPHA,
    CONFIDENCE,
    LAYER,
    NullOutcome,
    accepted,
    attainable_levels,
    false_positives,
    judgment,
)
from semantic_hub.zoo.calibration.page import page_text
from semantic_hub.zoo.calibration.power import N_PAIRS, NOISES, power
from semantic_hub.zoo.calibration.split_words import SplitWorld
from semantic_hub.zoo.calibration.verdict import similarity_verdict, verdict_shares
from semantic_hub.zoo.calibration.worlds import (
    NULL_WORLDS,
    anisotropic,
    folded,
    planted_states,
    twin_states,
)
from semantic_hub.zoo.planted.codes import SQUARED_LENGTHS
from semantic_hub.zoo.planted.models import expected_stream, planted_world

SIX = np.ones(6)
FEW = (0.5, 8.0)
CALIBRATED = NullOutcome(
    rejected=0.05 * SIX,
    rejected_any=0.05,
    covered=0.95 * SIX,
    level=0.05 * SIX,
    level_any=0.05,
)


@pytest.mark.parametrize("n", [7, 200])
@pytest.mark.parametrize("probability", [0.02, 0.05, 0.95])
def test_accepted_is_the_binomials_middle(n, probability):
    stats = pytest.importorskip("scipy.stats")
    low, high = accepted(n, probability)
    expected = stats.binom.ppf([0.025, 0.975], n, probability) / n
    assert (low, high) == pytest.approx(tuple(expected))


def test_levels_are_the_share_of_rows_that_would_be_rejected():
    """Each row in turn as the true pairing, through the test itself."""
    counts = torch.from_numpy(np.random.default_rng(0).poisson(1.0, (60, 3))).double()
    statistics = counts - counts.mean(dim=0)
    rejected = []
    for row in range(len(statistics)):
        p = permutation_p_values(statistics.roll(-row, dims=0))
        rejected.append([*(p.p <= ALPHA).tolist(), bool((p.corrected <= ALPHA).any())])
    expected = np.mean(rejected, axis=0)
    levels, level_any = attainable_levels(statistics)
    assert levels == pytest.approx(expected[:3])
    assert level_any == pytest.approx(expected[3])
    assert 0 < levels.max() <= ALPHA


def test_the_level_without_ties_is_alpha():
    statistics = torch.arange(200.0)[:, None].double() - 99.5
    assert attainable_levels(statistics) == (pytest.approx([ALPHA]), pytest.approx(ALPHA))


def test_noise_is_as_long_as_it_says_and_differs_between_layers():
    world = planted_world("planted-hub", 5, languages=("en", "es"))
    for language, states in zip(
        ("en", "es"), planted_states("planted-hub", 5, noise=2.0), strict=True
    ):
        noise = states - expected_stream(world, language)
        lengths = np.square(noise).sum(axis=-1).mean(axis=0)
        assert lengths == pytest.approx(4 * SQUARED_LENGTHS, rel=0.05)
        one, other = noise[:, 2].ravel(), noise[:, 3].ravel()
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_without_noise_they_are_the_closed_form():
    x, y = planted_states("planted-hub", 5)
    world = planted_world("planted-hub", 5, languages=("en", "es"))
    assert np.abs(y - expected_stream(world, "es")).max() < 1e-6
    assert paired_similarity(x, y)[2].item() == pytest.approx(0.8, abs=0.02)


def test_folding_gives_a_hub_a_geometry_that_both_sides_share():
    states = planted_states("planted-hub", 0)
    cka = MEASURES["debiased CKA"]
    assert abs(cka(*states)[LAYER]) < 0.05
    assert cka(*folded(*states))[LAYER] > 0.5


def test_a_twins_languages_have_no_word_in_common_and_layers_that_differ():
    x, y = twin_states(3)
    assert x.shape == y.shape == (48, 6, 323)
    assert torch.equal(x, twin_states(3)[0])
    assert not torch.equal(x, twin_states(4)[0])
    words = torch.cat([x[:, 0], y[:, 0]])
    cosines = torch.corrcoef(words) - torch.eye(96)
    assert cosines.abs().max() < 0.35
    between = torch.cosine_similarity(x[:, 1:], x[:, :-1], dim=-1)
    assert between.max() < 0.99


@pytest.mark.parametrize("world", NULL_WORLDS)
def test_pairing_otherwise_leaves_a_null_world_as_it_is(world):
    """Mean similarity over all pairings is 0, and the true one is none of the extremes."""
    x, y = map(torch.as_tensor, NULL_WORLDS[world](11))
    ways = [torch.randperm(48, generator=torch.Generator().manual_seed(i)) for i in range(300)]
    others = torch.stack([paired_similarity(x, y[way]) for way in ways])
    standard = paired_similarity(x, y) / others.std(dim=0)
    assert standard.abs().max() < 4


def test_a_hub_is_no_null_world():
    """The counting itself can fail: where the null is false, everything is rejected."""
    found = false_positives(lambda seed: planted_states("planted-hub", seed), range(2), ["cosine"])
    assert list(found) == ["cosine"]
    assert found["cosine"].rejected[LAYER] == found["cosine"].rejected_any == 1
    assert found["cosine"].covered[LAYER] == 0
    assert judgment(found["cosine"], 200) == [
        "p too often",
        "corrected p too often",
        "interval too narrow",
    ]


@pytest.mark.slow
def test_power_falls_with_noise_and_grows_with_pairs():
    found = power(range(2), noises=(0.5, 64.0))
    cosine = found["cosine"]
    assert cosine.shape == (2, len(N_PAIRS))
    assert (cosine[0] == 1).all()
    assert cosine[1].mean() < 1
    assert np.isnan(found["mutual k-NN"][:, 0]).all()
    assert np.isfinite(found["mutual k-NN"][:, 1:]).all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"rejected": 0.085 * SIX}, ["p too often"]),
        ({"rejected": 0.015 * SIX}, ["p too seldom"]),
        ({"rejected": 0.015 * SIX, "level": 0.02 * SIX}, []),
        ({"rejected_any": 0.1}, ["corrected p too often"]),
        ({"covered": 0.915 * SIX}, ["interval too narrow"]),
        ({"covered": 0.985 * SIX}, ["interval too wide"]),
    ],
)
def test_judgement(change, expected):
    assert judgment(replace(CALIBRATED, **change), 200) == expected


@pytest.mark.parametrize(
    ("fresh", "verdict"),
    [(0.05, "on 400 other worlds 0.050: does not fail"), (0.09, "0.090: **FAILS**")],
)
def test_what_is_outside_is_named_on_the_page(fresh, verdict):
    nulls = {"twin": {"cosine": replace(CALIBRATED, rejected=0.1 * SIX), "CKA": CALIBRATED}}
    again = {"twin": {"cosine": replace(CALIBRATED, rejected=fresh * SIX)}}
    hub = {"cosine": np.full((len(NOISES), len(N_PAIRS)), np.nan)}
    page = page_text(nulls, again, hub, hub, {}, NOTHING, {}, {}, 200, ("a.svg", "b.svg"))
    assert f"- cosine in twin: p too often; {verdict}" in page.replace(
        "on 400 other worlds 0.09", "0.09"
    )
    assert f"**Failures: {int('FAILS' in verdict)}.**" in page
    assert "1 of 6 numbers" in page
    assert "| CKA | 0.050 | 0.050–0.050 | 0.020–0.080 |" in page
    assert "| cosine | 8 | – | – | – | – | – |" in page
    assert "share within 0.920–0.980" in " ".join(page.split())


GRID = np.zeros((4, 3))
NOTHING = Anisotropy({"AUC": GRID}, {"AUC": GRID}, GRID, GRID)


def test_false_positives_among_anisotropic_states_are_counted_on_the_page():
    wrong = GRID.copy()
    wrong[3, 2] = 0.2
    found = Anisotropy({"AUC": GRID + 1}, {"AUC": GRID + 0.9}, GRID + 1, wrong)
    page = page_text({}, {}, {}, {}, {}, found, {}, {}, 200, ("a.svg", "b.svg"))
    section = page.split("## The effect of a similarity, and anisotropy")[1]
    assert "failures: 1" in section and "](b.svg)" in section
    assert "| AUC | " + "1.00 (0.90) | " * 11 + "1.00 (0.90) |" in section
    assert "c=100, k=4" in section


def test_only_standardized_states_read_the_same_among_huge_dimensions():
    """One world without and one with all anisotropy."""
    states = planted_states("planted-hub", 2, noise=2.0)
    plain = anisotropic(*states, own_noise=False, seed=2)
    changed = anisotropic(*states, common=100.0, huge=4, seed=2)
    for name, measure in CANDIDATES.items():
        before, after = (float(measure(*sides)[2:4].max()) for sides in (plain, changed))
        alike = abs(after - before) < 0.02 * before
        assert alike == ("standardized" in name), (name, before, after)
    assert similarity_verdict(*changed, 2) == "supported"
    separate = planted_states("planted-separate", 2, noise=1.0)
    assert similarity_verdict(*anisotropic(*separate, common=100.0, huge=4, seed=2), 2) != (
        "supported"
    )


@pytest.mark.parametrize(("share", "failures"), [(0.08, 0), (0.085, 1)])
def test_verdicts_on_the_page(share, failures):
    hub = {"cosine": np.full((len(NOISES), len(N_PAIRS)), np.nan)}
    told = {("planted-separate", 1.0, 48): {"supported": share, "cannot tell": 1 - share}}
    told[("planted-hub", 2.0, 8)] = {"supported": 1.0}
    page = page_text({}, {}, hub, hub, told, NOTHING, {}, {}, 200, ("a.svg", "b.svg"))
    page = page.split("## The verdict")[1].split("## The effect")[0]
    assert f"**Failures: {failures}.**" in page
    assert "0.080 of the worlds" in page
    assert f"| planted-separate | 1 | 48 | {share:.3f} | 0.000 | {1 - share:.3f} |" in page
    assert "| planted-hub | 2 | 8 | 1.000 | 0.000 | 0.000 |" in page


def test_the_page_names_what_is_supported_without_a_hub():
    worlds = {
        SplitWorld("planted-separate", 1.0, (0.0, 0.5), True, True): {"supported": 0.09},
        SplitWorld("planted-separate", 1.0, (0.0, 0.5), False, False): {"cannot tell": 1.0},
        SplitWorld("planted-hub", 1.0, (0.0, 0.5), True, False): {"supported": 1.0},
    }
    page = page_text({}, {}, {}, {}, {}, NOTHING, worlds, {}, 200, ("a.svg", "b.svg"))
    page = page.split("## The lens")[1]
    assert "**Failures: 1.**" in page
    assert (
        "| planted-separate | 1 | 0% | 50% | French, unrelated | whole words | 0.090 | 0.000 | "
        "0.000 | **FAILS** |"
    ) in page
    assert "| French | first tokens | 0.000 | 0.000 | 1.000 |  |" in page


def test_verdicts_on_worlds_with_noise():
    """A hub is found, separate codes are not, and few pairs in noise cannot tell."""
    assert verdict_shares("planted-hub", 1.0, 48, range(3)) == {"supported": 1.0}
    assert verdict_shares("planted-separate", 1.0, 160, range(3)) == {"not supported": 1.0}
    told = [
        similarity_verdict(*planted_states("planted-hub", 1, noise=8.0, n_concepts=n), 1)
        for n in (4, 8)
    ]
    assert told == ["cannot tell"] * 2


@pytest.mark.slow
def test_two_runs_write_the_same_page_and_chart(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "semantic_hub.zoo.calibration.__main__.NULL_WORLDS", {"random twin": twin_states}
    )
    monkeypatch.setattr("semantic_hub.zoo.calibration.__main__.power", partial(power, noises=FEW))
    for module in ("__main__", "page"):
        monkeypatch.setattr(f"semantic_hub.zoo.calibration.{module}.NOISES", FEW)
    pages = [tmp_path / "one" / "page.md", tmp_path / "two" / "page.md"]
    for page in pages:
        page.parent.mkdir()
        main(["--out", str(page), "--seeds", "5"])
    for name in ("page.md", "page.svg", "page-anisotropy.svg"):
        one, two = (page.with_name(name).read_text(encoding="utf-8") for page in pages)
        assert one == two
    assert "](page.svg)" in pages[0].read_text(encoding="utf-8")


def test_too_few_worlds(tmp_path):
    with pytest.raises(SemanticHubError, match="calibrate: got 4 worlds; expected at least 5"):
        main(["--out", str(tmp_path / "page.md"), "--seeds", "4"])


def test_the_chart_has_a_panel_for_each_title_and_a_line_for_each_number():
    values = np.array([[1.0, np.nan], [0.25, np.nan]])
    root = ElementTree.fromstring(power_chart({"a < b": values, "c": values}, [1.0, 2.0], [8, 96]))
    texts = ["".join(found.itertext()) for found in root.iter() if found.tag.endswith("text")]
    assert {"a < b", "c", "8 pairs", "96 pairs"} <= set(texts)
    lines = [found.get("points") for found in root.iter() if found.tag.endswith("polyline")]
    assert lines == ["0.0,0.0 150.0,72.0"] * 2
    panels = [found for found in root if found.tag.endswith("}g")]
    assert len({panel.get("transform") for panel in panels}) == 2
    assert [len(list(itertools.chain(panel))) for panel in panels] == [11, 11]


def test_confidence_and_alpha_are_the_usual():
    assert (ALPHA, CONFIDENCE) == (0.05, 0.95)
