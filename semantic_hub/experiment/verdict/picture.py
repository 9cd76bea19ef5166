"""All verdicts in one look: spokes by kinds of evidence, each cell a profile over layers."""

from collections.abc import Callable, Sequence
from html import escape
from math import isnan

from semantic_hub.experiment.verdict.lines import HEADINGS, SIGNS, SetVerdict, SpokeVerdict
from semantic_hub.experiment.verdict.rule import NOT_MEASURED, SUPPORTED
from semantic_hub.plotting.svg import curve_svg

STYLE = """
.answers { list-style: none; margin: .5rem 0; padding: 0; }
.answers li { margin: .2rem 0; }
.verdicts { border-collapse: collapse; max-width: 60rem; table-layout: fixed; width: 100%; }
.verdicts th, .verdicts td { border-bottom: 1px solid #8884; line-height: 1.25;
  overflow-wrap: normal; padding: .2rem .4rem .2rem 0; text-align: left;
  vertical-align: middle; white-space: normal; }
.verdicts th:first-child { overflow-wrap: anywhere; width: 22%; }
.verdicts svg { display: block; height: auto; max-width: 13rem; width: 100%; }
.verdicts a { color: inherit; display: block; text-decoration: none; }
.verdicts a:hover strong, .verdicts a:focus strong { text-decoration: underline; }
.verdicts .quiet { color: #767676; font-weight: normal; }
@media (max-width: 40rem) {
  .verdicts thead .quiet { display: none; } .verdicts th:first-child { font-size: .92em; }
}
@media (prefers-color-scheme: dark) {
  .verdicts polyline { stroke: #56B4E9; } .verdicts polygon { fill: #56B4E9; }
  .verdicts .quiet { color: #a3a3a3; }
}
"""
_SIZE = (160, 40)
"""Of a cell's picture; it grows with its column."""


def sentences(lines: Sequence[SpokeVerdict]) -> dict[str, str]:
    """What each kind of evidence says of all spokes, one sentence each.

    The layers are those of the spoke's set with the median margin, where they support it.

    Args:
        lines: ``Verdicts.lines``.

    Returns:
        Kind of evidence to its sentence.

    Example:
        >>> sentences([])
        {}
    """
    spoken: dict[str, dict[str, list[str]]] = {}
    for line in lines:
        said = spoken.setdefault(line.evidence, {})
        layers = _layers(line)
        name = f"{line.spoke} ({layers})" if layers else line.spoke
        said.setdefault(line.verdict, []).append(name)
    found = {}
    for evidence, said in spoken.items():
        parts = [f"{verdict} for {_listed(said[verdict])}" for verdict in SIGNS if verdict in said]
        found[evidence] = f"{HEADINGS.get(evidence, evidence)}: {'; '.join(parts)}."
    return found


def verdict_html(
    lines: Sequence[SpokeVerdict], link: Callable[[SpokeVerdict], str] | None = None
) -> str:
    """HTML of a sentence for each kind of evidence, and a table of all spokes.

    A cell of the table has the verdict, as a sign and in words, and the effect above the strongest
    control at each middle layer, of the set with the median margin, with its interval, a dotted
    line at 0, and dots at the layers that support it. All cells of a column have one scale.

    Args:
        lines: ``Verdicts.lines``.
        link: Gives the address that a cell leads to; None for cells without one.

    Example:
        >>> "<table" in verdict_html([])
        True
    """
    families = list(dict.fromkeys(line.evidence for line in lines))
    cell_of = {(line.spoke, line.evidence): line for line in lines}
    span_of = {family: _span(lines, family) for family in families}
    titles = {family: HEADINGS.get(family, family) for family in families}
    heads = "".join(
        f'<th scope="col">{title} <span class="quiet">({family})</span></th>'
        for family, title in titles.items()
    )
    rows = []
    for spoke in dict.fromkeys(line.spoke for line in lines):
        cells = [
            _cell(line, span_of[family], "" if link is None else link(line))
            for family in families
            if (line := cell_of.get((spoke, family)))
        ]
        rows.append(f'<tr><th scope="row">{escape(spoke)}</th>{"".join(cells)}</tr>')
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences(lines).values())
    table = (
        f'<table class="verdicts"><thead><tr><th scope="col">spoke</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    return f'<style>{STYLE}</style><ul class="answers">{said}</ul>{table}'


def supporting_set(line: SpokeVerdict) -> SetVerdict | None:
    """The set with the median margin, where it supports the spoke and so its layers do.

    Args:
        line: Verdict on a spoke.
    """
    one = line.median_set
    return one if one is not None and line.verdict == one.verdict == SUPPORTED else None


def _span(lines: Sequence[SpokeVerdict], family: str) -> tuple[float, float]:
    """Lowest and highest margin of a kind of evidence, with 0 between."""
    shown = [line.median_set for line in lines if line.evidence == family]
    ends = [end for one in shown if one for at in one.profile for end in (at.low, at.high)]
    known = [end for end in ends if not isnan(end)]
    return min([0.0, *known]), max([0.0, *known])


def _cell(line: SpokeVerdict, span: tuple[float, float], address: str) -> str:
    said = f"<strong>{SIGNS[line.verdict]} {line.verdict}</strong>"
    if layers := _layers(line):
        said += f' <span class="quiet">{layers}</span>'
    inside = f"{_picture(line, span)}{said}"
    if not address or line.verdict == NOT_MEASURED:
        return f"<td>{inside}</td>"
    return f'<td><a href="{escape(address)}">{inside}</a></td>'


def _picture(line: SpokeVerdict, span: tuple[float, float]) -> str:
    """The profile of the set with the median margin; nothing where there is none."""
    one = line.median_set
    if one is None:
        return ""
    told = (
        f"{line.spoke}, {line.evidence}: {line.verdict}; the median set, {one.name}, lies "
        f"{one.margin:.2f} [{one.low:.2f}, {one.high:.2f}] above {one.strongest or 'its control'} "
        f"at layer {one.where}"
    )
    return curve_svg(
        [at.layer for at in one.profile],
        [at.value for at in one.profile],
        [at.low for at in one.profile],
        [at.high for at in one.profile],
        told,
        span=span,
        marked=one.layers if supporting_set(line) else (),
        size=_SIZE,
        axes=False,
    )


def _layers(line: SpokeVerdict) -> str:
    """The layers that support a spoke, in words; nothing where none do."""
    one = supporting_set(line)
    if one is None:
        return ""
    return f"{'layer' if len(one.layers) == 1 else 'layers'} {one.layer_range}"


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    Example:
        >>> _listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
