"""The verdicts: known answers for all kinds of evidence, and how sets make lines."""

from dataclasses import replace

import pytest

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.judging import FAMILIES, verdicts
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.reporting.document import Report
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.models import PlantedSpoke, planted_model, planted_world

SETTINGS = {"resampling": Resampling(resamples=300), "permutations": 200}


def measured(name: str, n_concepts: int, at_most: int = 48) -> Findings:
    world = planted_world(name, n_concepts=n_concepts)
    return sh.run(planted_model(world, device="cpu"), PlantedSpoke(world, at_most), **SETTINGS)


@pytest.fixture(scope="module")
def hub() -> Findings:
    return measured("planted-hub", 48)


@pytest.fixture(scope="module")
def separate() -> Findings:
    """With 48 concepts the lens cannot tell (docs/measures.md): of two words that nothing reads,
    either is likelier half the time, so a narrow interval takes more of them."""
    return measured("planted-separate", 160)


def test_a_planted_hub_is_supported_by_every_evidence(hub: Findings) -> None:
    found = verdicts([hub], resampling=Resampling(resamples=300))
    assert {line.evidence: line.verdict for line in found.lines} == dict.fromkeys(
        FAMILIES, "supported"
    )
    assert {one.verdict for one in found.sets} == {"supported"}
    ranges = {one.kind: one.layer_range for one in found.sets}
    assert ranges == {"similarity": "1–4", "lens": "1–4", "patching": "1–3", "steering": "1–4"}


@pytest.mark.slow
def test_separate_codes_are_not_supported_by_any_evidence(separate: Findings) -> None:
    found = verdicts([separate], resampling=Resampling(resamples=300))
    assert {line.evidence: line.verdict for line in found.lines} == dict.fromkeys(
        FAMILIES, "not supported"
    )
    assert all(one.high < 0.1 for one in found.sets)


def test_few_items_cannot_tell() -> None:
    found = verdicts([measured("planted-separate", 4)], resampling=Resampling(resamples=300))
    assert {line.verdict for line in found.lines} == {"cannot tell"}


@pytest.mark.slow
def test_both_together_keep_their_verdicts(hub: Findings, separate: Findings) -> None:
    """More sets in a family, and two spokes of one name, which stay apart."""
    found = verdicts([hub, separate], resampling=Resampling(resamples=300))
    told = [line.verdict for line in found.lines]
    assert told == ["supported"] * 3 + ["not supported"] * 3
    alone = {
        (one.kind, one.name): one.p
        for one in verdicts([hub], resampling=Resampling(resamples=300)).sets
    }
    ours = [one for one in found.sets if one.verdict == "supported"]
    assert all(one.p >= alone[one.kind, one.name] for one in ours)
    assert any(one.p > alone[one.kind, one.name] for one in ours)


def test_a_line_has_the_set_with_the_median_margin(hub: Findings) -> None:
    found = verdicts([hub], resampling=Resampling(resamples=300))
    for line in found.lines:
        margins = sorted(one.margin for one in found.sets if one.evidence == line.evidence)
        assert line.median_set is not None
        assert line.median_set.margin == margins[(len(margins) - 1) // 2]
        assert line.n_sets == line.n_supported == len(margins)


@pytest.mark.slow
def test_the_smallest_effect_decides_what_is_not_supported(separate: Findings) -> None:
    strict = verdicts([separate], smallest=1e-6, resampling=Resampling(resamples=300))
    assert "not supported" not in {one.verdict for one in strict.sets}


def test_no_sets_are_not_measured_and_no_controls_cannot_tell(hub: Findings) -> None:
    world = planted_world("planted-hub")
    bare = sh.similarity(
        planted_model(world, device="cpu"),
        world.pairs("en", "es"),
        resampling=Resampling(resamples=9),
        permutations=9,
    )
    found = verdicts([Findings("bare", {"similarity": {"plain": bare}})])
    assert [line.verdict for line in found.lines] == ["cannot tell", "not measured", "not measured"]
    assert found.lines[0].median_set is None
    (only,) = found.sets
    assert (only.reason, only.layer_range) == ("no null controls", "")


def test_two_pairs_cannot_tell(model) -> None:
    class Two(sh.Spoke):
        name = "two"

        def pairs(self):
            return {"pair": Pairs.from_prompts(["dog", "cat"], ["perro", "gato"])}

    (only,) = verdicts(
        [sh.run(model, Two(), resampling=Resampling(resamples=20), permutations=1)]
    ).sets
    assert only.verdict == "cannot tell"


def test_frames(hub: Findings) -> None:
    found = verdicts([hub, Findings("bare")], resampling=Resampling(resamples=300))
    lines, sets = found.to_frame(), found.sets_frame()
    assert list(lines.columns) == [
        "spoke", "evidence", "verdict", "n_sets", "n_supported", "n_not_supported", "name",
        "layers", "margin", "low", "high", "strongest", "p",
    ]  # fmt: skip
    assert len(lines) == 6
    assert lines["margin"].notna().tolist() == [True] * 3 + [False] * 3
    assert len(sets) == len(found.sets)
    assert {"unit", "where", "n"} <= set(sets.columns)


def test_gaps_are_named(hub: Findings) -> None:
    one = verdicts([hub], resampling=Resampling(resamples=300)).sets[0]
    assert replace(one, layers=(1, 3), gaps=True).layer_range == "1–3, with gaps"
    assert replace(one, layers=(2,)).layer_range == "2"


def test_the_report_uses_its_own_settings(hub: Findings) -> None:
    page = Report(findings=(hub,), manifest={}, resampling=Resampling(300, 0.9), n_layers=5)
    assert (
        page.verdicts.sets
        == verdicts(
            [hub],
            resampling=Resampling(resamples=300, confidence=0.9),
        ).sets
    )
    assert page.verdicts.sets != verdicts([hub], resampling=Resampling(resamples=300)).sets


def test_too_few_permutations_for_so_many_sets_are_named(hub: Findings) -> None:
    """200 permutations: 1/201 times 11 is above .05, times 10 below."""
    assert verdicts([hub] * 5, resampling=Resampling(resamples=300)).notes == ()
    (note,) = verdicts([hub] * 6, resampling=Resampling(resamples=300)).notes
    assert "Sets of pairs: 12, measured with 200 resamples or permutations" in note
    assert "at least 239 of both" in note


@pytest.mark.slow
def test_many_sets_of_read_outs_get_finer_p_values(hub: Findings) -> None:
    found = verdicts([hub] * 30, resampling=Resampling(resamples=300))
    assert {one.verdict for one in found.sets if one.evidence != "similarity"} == {"supported"}


def test_loaded_findings_give_the_same_verdicts(hub: Findings, tmp_path) -> None:
    again = Findings.load(hub.save(tmp_path))
    assert verdicts([again], resampling=Resampling(resamples=300)) == verdicts(
        [hub], resampling=Resampling(resamples=300)
    )


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1.0}, {"smallest": 0.0}])
def test_numbers_out_of_range(wrong: dict) -> None:
    with pytest.raises(SemanticHubError, match="alpha between 0 and 1"):
        verdicts([Findings("few")], **wrong)
