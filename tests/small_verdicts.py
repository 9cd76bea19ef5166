"""Verdicts made by hand: one set, and the line of a spoke."""

from semantic_hub.experiment.verdict.lines import LayerMargin, SetVerdict, SpokeVerdict

ONE = SetVerdict(
    spoke="language",
    evidence="similarity",
    kind="similarity",
    name="en – es",
    verdict="supported",
    margin=0.4,
    low=0.3,
    high=0.5,
    p=0.01,
    strongest="random twin",
    where="3",
    layers=(2, 3),
    gaps=False,
    n=40,
    unit="share",
    reason="",
    profile=(
        LayerMargin(1, 0, -0.1, 0.1),
        LayerMargin(2, 0.2, 0.1, 0.3),
        LayerMargin(3, 0.4, 0.3, 0.5),
    ),
)


def line(spoke: str, evidence: str, verdict: str, one: SetVerdict | None = ONE) -> SpokeVerdict:
    return SpokeVerdict(
        spoke=spoke,
        evidence=evidence,
        verdict=verdict,
        n_sets=0 if one is None else 1,
        n_supported=int(verdict == "supported"),
        n_not_supported=int(verdict == "not supported"),
        median_set=one,
    )
