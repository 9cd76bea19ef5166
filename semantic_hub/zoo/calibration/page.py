"""Markdown page with the results of `semantic_hub.zoo.calibration.__main__`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float

from semantic_hub.experiment.verdict.rule import CANNOT_TELL, NOT_SUPPORTED, SUPPORTED
from semantic_hub.zoo.calibration.anisotropy import COMMON, HUB_NOISE, HUGE, Anisotropy
from semantic_hub.zoo.calibration.nulls import (
    ALPHA,
    CONFIDENCE,
    HARMFUL,
    LAYER,
    PERMUTATIONS,
    RESAMPLES,
    NullOutcome,
    accepted,
    judgment,
)
from semantic_hub.zoo.calibration.power import N_PAIRS, NOISES
from semantic_hub.zoo.calibration.split_words import ALIKE, UNRELATED, SplitWorld
from semantic_hub.zoo.calibration.steered import COMMON as STEERED_COMMON
from semantic_hub.zoo.calibration.steered import SteeredWorld
from semantic_hub.zoo.calibration.verdict import VerdictWorld
from semantic_hub.zoo.markdown import markdown_table
from semantic_hub.zoo.planted.models import N_CONCEPTS

FRESH = 2
"""Factor of fresh worlds on which rates outside on the harmful side are measured again."""

POWER_SHARE = 5
"""Divisor of the number of worlds on which power is measured: a fifth of them."""

Nulls = Mapping[str, Mapping[str, NullOutcome]]
"""Mapping from world to a mapping from measure to outcome."""

Power = Mapping[str, Float[np.ndarray, "noise number"]]
"""Mapping from measure to power."""


def page_text(
    nulls: Nulls,
    again: Nulls,
    hub: Power,
    hub_folded: Power,
    verdicts: Mapping[VerdictWorld, Mapping[str, float]],
    anisotropy: Anisotropy,
    split_words: Mapping[SplitWorld, Mapping[str, float]],
    steered: Mapping[SteeredWorld, Mapping[str, float]],
    n_worlds: int,
    charts: tuple[str, str],
) -> str:
    """Write the page as Markdown.

    Args:
        nulls: False positives and coverage of each world and measure.
        again: The same on `FRESH` times as many fresh worlds, for measures that were outside.
        hub: Power on ``planted-hub``.
        hub_folded: Power on ``planted-hub``, `folded`.
        verdicts: Share of worlds with each verdict.
        anisotropy: What candidates and verdict make of anisotropic states.
        split_words: Share of worlds with each verdict of the lens, where words are split.
        steered: Share of worlds with each verdict on steering.
        n_worlds: Number of worlds of each kind.
        charts: Addresses of the charts of power and of anisotropy.
    """
    sections = [_introduction(n_worlds)]
    sections += [_null_section(world, outcomes, n_worlds) for world, outcomes in nulls.items()]
    sections += [_outside(nulls, again, n_worlds), _power_section(n_worlds, charts[0])]
    sections += ["### planted-hub\n\n" + _power_table(hub)]
    sections += ["### planted-hub, folded\n\n" + _power_table(hub_folded)]
    sections += [_verdict_section(verdicts, n_worlds)]
    sections += [_anisotropy_section(anisotropy, n_worlds, charts[1])]
    sections += [_split_section(split_words, n_worlds), _steered_section(steered, n_worlds)]
    return "\n".join(sections)


_RULE = """\
# Calibration: are the tests and intervals what they say?

Made by `make calibrate`, which runs
`python -m semantic_hub.zoo.calibration --out docs/calibration.md --seeds {n_worlds}`. Everything is
seeded: two runs on one machine give the same page.

**Worlds in which the null is true**, {n_worlds} of each kind, {n_pairs} pairs of English and
Spanish:

- `planted-separate`: the closed-form streams of the planted model. Every language has codes of its
  own. All layers hold multiples of the same few codes, so they agree with each other.
- `planted-separate with noise`: the same, with Gaussian noise as long as the stream, drawn anew at
  each layer. The layers differ, so the correction over layers has something to correct.
- `random twin`: the prompts `<en> en:dog` and `<es> es:dog` in a model with fresh weights, another
  one for each seed. The two languages have the first token and the positions in common and no other
  token. What all prompts share is the same under every pairing, and the words' embeddings are drawn
  independently; so no pairing is special, and the test must be exact.

**Rule.** At α = {alpha:g} a test must reject in a share of worlds that lies within the
{confidence:.0%} acceptance interval of the binomial distribution ("may be" in the tables). A
{confidence:.0%} interval must hold the measure's chance level (0 for cosines and CKA, 0.5 for
AUC, 1/n for retrieval, 1/(2n − 1) for mutual retrieval, 10/(n − 1) for k-NN) in a share within
{covered}. Three numbers are judged for each measure: p at layer {layer} (chosen beforehand), the
corrected p (is it ≤ α at *any* layer?), and the interval at layer {layer}. The lowest and highest
rate over all layers stand beside them. A test that rejects too often and an interval that is too
narrow do harm: a measure that is so is measured again on {fresh} worlds with other seeds, and
*fails* if it is so again. Too seldom or too wide errs on the safe side; it is listed, and no
failure. (The second measurement was added to the rule after the first 200 worlds had been seen;
its worlds are others.)

**Measures that count** (retrieval, k-NN) have ties, which count against them: where one hit is
expected by chance, three are not rare enough and four are rarer than need be. The rate that such a
test can reach is below α. It is known from the statistic under all pairings that were tried, and
"may be" is about that rate, on average over the worlds.

**What the rule does not do.** The binomial intervals are for each number by itself, not for all
numbers together: one in twenty lies outside by chance where all is well, and the measures of one
world depend on each other. {permutations} permutations and {resamples} resamples are used here,
fewer than the library's own 1,000, for time; the permutation test is exact with any number.
"""

_POWER = """\
## Power

Share of {n_worlds} `planted-hub` worlds in which the corrected p is ≤ {alpha:g} at any layer,
against the length of the noise (over that of the stream, at each layer) and the number of pairs.
The world has {most} concepts, of which the first ones are used, so that its width is the same for
any number of pairs. A rate near one half is uncertain by ± {error:.2f} (95 %).

The hub's concept codes are orthonormal: no two concepts are more alike than any two others. So
there is no geometry to share, and CKA and k-NN, which compare the geometry of each side, cannot
find this hub: their power here is α. In the *folded* world the same states go through one random
projection to 16 dimensions, where some concepts come near each other on both sides alike.

![Power against noise]({chart})
"""


_VERDICT = """\
## The verdict

Share of {n_worlds} worlds in which the [verdict](measures.md#verdict) on the similarity of one set
of pairs is each of the three. Its controls are chance, and random states in the place of another
model's. "Supported" in `planted-separate` is a false positive: with α = {alpha:g}, at most
{bound:.3f} of the worlds may have it (binomial, {confidence:.0%}). The noise is so many times as
long as the stream.

{failures}
"""


_ANISOTROPY = """\
## The effect of a similarity, and anisotropy

The states of pretrained models have a direction in common that is much longer than what tells
them apart, one more for each language, a few dimensions up to 1,000 times as large as the others,
and lengths that grow with depth. Here planted worlds get all of these: *c* is the length of the
common direction over that of the stream (each language has one of its own, half as long), *k* the
number of dimensions that are 1,000 times as large, with noise of their own of that size, and
lengths double with each layer. Noise in all other dimensions: {noise:g} × the stream.

**What was asked of the effect**, before any of it was looked at on a pretrained model: no more
false positives than α at every c and k; as much power at every c and k as without them; no change
under a monotone change of scale; a perfect hub reads 1 and none reads chance, with any number of
pairs. Only the AUC of standardized states does all of this, and it is the effect of the verdict.
Rejected: Eq. 1 raw or centered (a huge dimension with noise decides every cosine), without top
components (which loses the hub with few pairs and several huge dimensions), mutual retrieval (its
chance level depends on the number of pairs, and of raw states it finds nothing), and Eq. 1 of
standardized states or over its room (as much power, but its value falls with noise that loses no
match: it has no unit).

Not tested away: a huge direction that is no axis of the stream is not tamed by standardizing.

Share of {n_hubs} worlds with a hub in which the test of a candidate finds it (corrected p ≤
{alpha:g} at any middle layer), and in brackets the mean of its highest value:

![Power against anisotropy]({chart})

{table}

**The verdict** from the AUC: share of worlds that are "supported". Of {n_worlds} worlds without a
hub at most {bound:.3f} may be (binomial, {confidence:.0%}): **failures: {failures}**.

{verdicts}
"""


_SPLIT = """\
## The lens, and words that the tokenizer splits

Share of {n_worlds} worlds in which the verdict on the lens is each of the three, where words of
several tokens count [in full](measures.md#lens) or by their first tokens alone. Read are {n}
Spanish words; a share of the words of English (the dominant language) and of the others is split:
{alike} words of a language begin with one token, and one or two more tell them apart. The states
are those of the planted worlds, in closed form, with noise so many times as long as the stream; how
a text goes on after a first token follows from what the model knows: in every world which tokens
can follow in that language, and which of them is meant only where the concept is known in that
language. That is Spanish, and all languages with a hub. Controls: French words alone, or also
*{unrelated}*, the English words for something else, as the built-in spokes have them.

"Supported" in `planted-separate` is a false positive: at most {bound:.3f} of the worlds may have it
(binomial, {confidence:.0%}). Where no word is split, both ways of scoring are one.

**Failures: {failures}.**
"""


_STEERED = """\
## Steering, and pushes along a few huge dimensions

Share of {n_worlds} worlds in which the verdict on steering is each of the three, with the random
direction as the only placebo, or also with noise in the covariance of the prompts' own states (as
`steering_sweep` has it; patching has the same two). The states are {n} English ones of the planted
worlds, in closed form, with noise so many times as long as the stream, a direction in common
{common:g} times as long, and *k* dimensions that are 1,000 times as large, with noise of their own.
Each is steered by the difference of two Spanish states, from its concept to the next one. What is
said then is read off by one of two rules:

- *concept*: the nearest of the English codes, each dimension over its spread. The next concept is a
  success, the own one unchanged; a prompt whose own concept is read unsteered is doable.
- *size*: any push up along the dimension with the largest spread, by more than this spread, is a
  success, whatever it means.

Only the concept with a hub is an effect; everywhere else "supported" is a false positive: at most
{bound:.3f} of the worlds may have it (binomial, {confidence:.0%}).

**Failures: {failures}**, of these with both placebos: {failures_of_both}. A random direction hardly
moves a huge dimension, so that with it alone a push along one passes for an effect.
"""


def _introduction(n_worlds: int) -> str:
    """Section on the worlds and the rule."""
    return _RULE.format(
        n_worlds=n_worlds,
        n_pairs=N_CONCEPTS,
        alpha=ALPHA,
        confidence=CONFIDENCE,
        covered=_range(accepted(n_worlds, CONFIDENCE)),
        layer=LAYER,
        fresh=FRESH * n_worlds,
        permutations=PERMUTATIONS,
        resamples=RESAMPLES,
    )


def _null_section(world: str, outcomes: Mapping[str, NullOutcome], n_worlds: int) -> str:
    """Section on one kind of world in which the null is true."""
    header = (
        "measure", f"p, layer {LAYER}", "over layers", "may be", "corrected p", "may be",
        f"interval covers, layer {LAYER}", "over layers", "judgment",
    )  # fmt: skip
    rows = ((name, *_null_row(outcome, n_worlds)) for name, outcome in outcomes.items())
    return f"## False positives and coverage: {world}\n\n" + markdown_table(header, rows)


def _null_row(outcome: NullOutcome, n_worlds: int) -> Iterator[str]:
    """Cells of one measure."""
    yield f"{outcome.rejected[LAYER]:.3f}"
    yield _range((outcome.rejected.min(), outcome.rejected.max()))
    yield _range(accepted(n_worlds, float(outcome.level[LAYER])))
    yield f"{outcome.rejected_any:.3f}"
    yield _range(accepted(n_worlds, outcome.level_any))
    yield f"{outcome.covered[LAYER]:.3f}"
    yield _range((outcome.covered.min(), outcome.covered.max()))
    yield ", ".join(judgment(outcome, n_worlds)) or "within"


def _outside(nulls: Nulls, again: Nulls, n_worlds: int) -> str:
    """Section that lists all rates outside their intervals."""
    lines = [
        f"- {name} in {world}: {rate}{_repeated(rate, again.get(world, {}).get(name), n_worlds)}"
        for world, outcomes in nulls.items()
        for name, outcome in outcomes.items()
        for rate in judgment(outcome, n_worlds)
    ]
    number, failures = 3 * sum(map(len, nulls.values())), sum("FAILS" in line for line in lines)
    head = (
        f"**Failures: {failures}.** Outside its interval on the first {n_worlds} worlds: "
        f"{len(lines)} of {number} numbers.\n"
    )
    return "\n".join(["## All that is outside\n", head, *lines, ""])


def _repeated(failure: str, fresh: NullOutcome | None, n_worlds: int) -> str:
    """Rate of a harmful failure on fresh worlds, and whether it fails again."""
    if fresh is None or not failure.endswith(HARMFUL):
        return ""
    n_fresh = FRESH * n_worlds
    verdict = "**FAILS**" if failure in judgment(fresh, n_fresh) else "does not fail"
    rates = {
        "p": fresh.rejected[LAYER],
        "corrected p": fresh.rejected_any,
        "interval": fresh.covered[LAYER],
    }
    rate = rates[failure.removesuffix(HARMFUL[0]).removesuffix(HARMFUL[1]).strip()]
    return f"; on {n_fresh} other worlds {rate:.3f}: {verdict}"


def _power_section(n_worlds: int, chart: str) -> str:
    """Section on power, with the chart."""
    number = n_worlds // POWER_SHARE
    error = 1.96 * (0.25 / number) ** 0.5
    return _POWER.format(n_worlds=number, alpha=ALPHA, most=max(N_PAIRS), error=error, chart=chart)


def _verdict_section(verdicts: Mapping[VerdictWorld, Mapping[str, float]], n_worlds: int) -> str:
    """Section on the verdicts."""
    _, bound = accepted(n_worlds, ALPHA)
    wrong = [
        world
        for world, shares in verdicts.items()
        if world[0] == "planted-separate" and shares.get(SUPPORTED, 0) > bound
    ]
    text = _VERDICT.format(
        n_worlds=n_worlds,
        alpha=ALPHA,
        bound=bound,
        confidence=CONFIDENCE,
        failures=f"**Failures: {len(wrong)}.**",
    )
    names = (SUPPORTED, NOT_SUPPORTED, CANNOT_TELL)
    rows = (
        (name, f"{noise:g}", f"{n_pairs}", *(f"{shares.get(verdict, 0):.3f}" for verdict in names))
        for (name, noise, n_pairs), shares in verdicts.items()
    )
    return text + "\n" + markdown_table(("world", "noise", "pairs", *names), rows)


def _anisotropy_section(found: Anisotropy, n_worlds: int, chart: str) -> str:
    """Section on anisotropic states, with the chart."""
    _, bound = accepted(n_worlds, ALPHA)
    cells = list(product(enumerate(COMMON), enumerate(HUGE)))
    places = [f"c={common:g}, k={huge}" for (_, common), (_, huge) in cells]
    candidates = (
        (
            name,
            *(f"{share[i, j]:.2f} ({found.value[name][i, j]:.2f})" for (i, _), (j, _) in cells),
        )
        for name, share in found.rejected.items()
    )
    verdicts = (
        (name, *(f"{share[i, j]:.3f}" for (i, _), (j, _) in cells))
        for name, share in (("planted-hub", found.hub), ("planted-separate", found.separate))
    )
    return _ANISOTROPY.format(
        noise=HUB_NOISE,
        n_hubs=n_worlds // POWER_SHARE,
        n_worlds=n_worlds,
        alpha=ALPHA,
        bound=bound,
        confidence=CONFIDENCE,
        chart=chart,
        table=markdown_table(("candidate", *places), candidates),
        verdicts=markdown_table(("world", *places), verdicts),
        failures=int((found.separate > bound).sum()),
    )


def _split_section(shares_of: Mapping[SplitWorld, Mapping[str, float]], n_worlds: int) -> str:
    """Section on words that are split."""
    _, bound = accepted(n_worlds, ALPHA)
    wrong = [
        world
        for world, shares in shares_of.items()
        if world.name == "planted-separate" and shares.get(SUPPORTED, 0) > bound
    ]
    text = _SPLIT.format(
        n_worlds=n_worlds,
        n=N_CONCEPTS,
        alike=ALIKE,
        unrelated=UNRELATED,
        bound=bound,
        confidence=CONFIDENCE,
        failures=len(wrong),
    )
    names = (SUPPORTED, NOT_SUPPORTED, CANNOT_TELL)
    rows = (
        (
            world.name,
            f"{world.noise:g}",
            *(f"{share:.0%}" for share in world.split),
            f"French, {UNRELATED}" if world.unrelated else "French",
            "whole words" if world.whole_words else "first tokens",
            *(f"{shares.get(verdict, 0):.3f}" for verdict in names),
            "**FAILS**" if world in wrong else "",
        )
        for world, shares in shares_of.items()
    )
    header = (
        "world", "noise", "split, English", "split, others", "controls", "scored by", *names, "",
    )  # fmt: skip
    return text + "\n" + markdown_table(header, rows)


def _steered_section(shares_of: Mapping[SteeredWorld, Mapping[str, float]], n_worlds: int) -> str:
    """Section on steering and its placebos."""
    _, bound = accepted(n_worlds, ALPHA)
    wrong = [
        world
        for world, shares in shares_of.items()
        if not world.has_effect and shares.get(SUPPORTED, 0) > bound
    ]
    text = _STEERED.format(
        n_worlds=n_worlds,
        n=N_CONCEPTS,
        common=STEERED_COMMON,
        bound=bound,
        confidence=CONFIDENCE,
        failures=len(wrong),
        failures_of_both=sum(world.both_placebos for world in wrong),
    )
    names = (SUPPORTED, NOT_SUPPORTED, CANNOT_TELL)
    rows = (
        (
            world.name,
            world.reader,
            f"{world.noise:g}",
            f"{world.huge}",
            "both" if world.both_placebos else "random direction",
            *(f"{shares.get(verdict, 0):.3f}" for verdict in names),
            "**FAILS**" if world in wrong else "",
        )
        for world, shares in shares_of.items()
    )
    header = ("world", "rule", "noise", "k", "placebos", *names, "")
    return text + "\n" + markdown_table(header, rows)


def _power_table(power: Power) -> str:
    """Table of the power of each measure at each noise."""
    header = ("measure", "noise", *(f"{number} pairs" for number in N_PAIRS))
    rows = (
        (name, f"{noise:g}", *("–" if np.isnan(share) else f"{share:.2f}" for share in shares))
        for name, values in power.items()
        for noise, shares in zip(NOISES, values, strict=True)
    )
    return markdown_table(header, rows)


def _range(limits: Sequence[float]) -> str:
    """Text of a range of rates."""
    return "–".join(f"{limit:.3f}" for limit in limits)
