"""Control rows for a similarity, made from its own pairs.

A *null control* has lost what makes a pair a pair, wholly or in one fact; the effect must stand
above each of them (`semantic_hub.statistics.margins`). A *check row* is the effect itself on pairs
that were chosen or rewritten: pairs that cannot match by spelling, or text in Latin letters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from semantic_hub.activations.recorded import States, holds, twin_of
from semantic_hub.alignment.surface import has_cognates, is_latin, romanized, shares_surface
from semantic_hub.errors import SemanticHubError, as_seed, check_kinds, check_names
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Encoding, Prompt, encode
from semantic_hub.prompts.soft_tokens import SoftTokens

MISMATCHED = "mismatched pairs"
"""What every AUC is above chance against, among the controls of a margin."""

RANDOM_TWIN = "random twin"
SHUFFLED = "shuffled tokens"
HARD_NEGATIVES = "hard negatives"
NO_SHARED_SURFACE = "no shared surface"
ROMANIZED = "romanized"

_REASONS = ("a word in common", "cognates")


@dataclass(frozen=True)
class Controls(Mapping[str, HookedModel | Pairs]):
    """Control rows by name: null controls, and checks (the effect on chosen or rewritten pairs).

    Args:
        rows: Name to another model, which measures the same pairs, or to other pairs.
        checks: Names of the check rows; all others are null controls.
        left_out: Name of a row that could not be made to the reason.
        dropped: Name of a row of fewer pairs to the number of pairs that it lacks, by reason.

    Raises:
        SemanticHubError: A check that is not among the rows, or a row whose name is no text, is
            empty or has control characters.

    Example:
        >>> pairs = Pairs.from_prompts(["one", "two"], ["uno", "dos"])
        >>> controls = Controls({"again": pairs}, checks=frozenset({"again"}))
        >>> list(controls), controls.nulls
        (['again'], ())
    """

    rows: Mapping[str, HookedModel | Pairs]
    checks: frozenset[str] = frozenset()
    left_out: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_names("Controls", "control", self.rows)
        if unknown := self.checks - set(self.rows):
            raise SemanticHubError(
                "Controls",
                got=f"checks {sorted(unknown)}",
                expected=f"names of rows: {', '.join(self.rows)}",
                fix="Name rows that are there.",
            )

    @property
    def nulls(self) -> tuple[str, ...]:
        """Names of the null controls."""
        return tuple(name for name in self.rows if name not in self.checks)

    def __getitem__(self, name: str) -> HookedModel | Pairs:
        return self.rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def stacked_controls(
    model: HookedModel,
    pairs: Pairs,
    *,
    hard_negatives: Pairs | None = None,
    twin: HookedModel | None = None,
    seed: int = 0,
) -> Controls:
    """Make all null controls and checks that pairs allow, for ``similarity(..., controls=)``.

    Null controls, row i of each made from pair i: ``"random twin"``, ``"shuffled tokens"``
    (`shuffled_tokens`), and ``"hard negatives"`` where given; the pairs' own mismatches always
    count. Check rows: ``"no shared surface"`` (`without_shared_surface`) and ``"romanized"``
    (`romanized_pairs`). A row that these pairs do not allow is left out, with the reason; so is one
    whose prompts recorded `States` do not have.

    Args:
        model: Whose tokens are shuffled, and whose twin is made.
        pairs: The pairs that are to be measured.
        hard_negatives: For each pair the same x, and a y that differs in one fact.
        twin: ``random_twin(model, seed)``, if it is there already.
        seed: Of the shuffling and the twin's weights.

    Raises:
        SemanticHubError: Hard negatives that are not aligned with the pairs.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> controls = stacked_controls(model, sh.spokes.language.pairs("en", "es")[:9])
        >>> controls.nulls
        ('random twin', 'shuffled tokens')
        >>> controls.left_out["romanized"]
        'all letters are Latin'
    """
    check_kinds(
        "stacked_controls",
        pairs=(pairs, Pairs),
        hard_negatives=(hard_negatives, (Pairs, None)),
        twin=(twin, (HookedModel, None)),
    )
    twin = twin_of(model, seed) if twin is None else twin
    made: dict[str, HookedModel | Pairs | str] = {
        RANDOM_TWIN: twin or "none was recorded",
        SHUFFLED: _shuffled_or_why_not(model, pairs, seed),
        HARD_NEGATIVES: _aligned(hard_negatives, pairs) or "none were given",
        NO_SHARED_SURFACE: without_shared_surface(pairs) or _why_no_subset(pairs),
        ROMANIZED: romanized_pairs(pairs) or _why_not_romanized(pairs),
    }
    for name, row in made.items():
        reader, read = (model, row) if isinstance(row, Pairs) else (row, pairs)
        if not isinstance(reader, str) and not holds(reader, read.x + read.y):
            made[name] = "its prompts were not recorded"
    left_out = {name: row for name, row in made.items() if isinstance(row, str)}
    rows = {name: row for name, row in made.items() if not isinstance(row, str)}
    dropped = {NO_SHARED_SURFACE: shared_surface(pairs)} if NO_SHARED_SURFACE in rows else {}
    return Controls(rows, frozenset({NO_SHARED_SURFACE, ROMANIZED} & set(rows)), left_out, dropped)


def shuffled_tokens(model: HookedModel, pairs: Pairs, seed: int = 0) -> Pairs | None:
    """Shuffle each prompt's own tokens, as token ids; special tokens stay in place.

    So do spans of features, whose rows are put in a random order among themselves.
    The same words without their order. A prompt whose tokens have only one order stays as it is.
    Where ``positions`` is a span, it counts special tokens here, since all given ids are own ones.

    Args:
        model: Whose tokens they are.
        pairs: The pairs.
        seed: Of the orders.

    Returns:
        Row i is pair i, read at the same position; None where half of the pairs or more would stay
        as they are on both sides: such a row would repeat the effect.
    """
    rng = np.random.default_rng(as_seed(seed))
    prompts = pairs.x + pairs.y
    encodings = encode(model, prompts)
    done = [_shuffled(p, e, rng) for p, e in zip(prompts, encodings, strict=True)]
    changes = [_differs(new, old) for new, old in zip(done, encodings, strict=True)]
    n = len(pairs)
    if 2 * sum(map(max, changes[:n], changes[n:])) <= n:
        return None
    return replace(pairs, x=tuple(done[:n]), y=tuple(done[n:]))


def without_shared_surface(pairs: Pairs) -> Pairs | None:
    """Pairs whose texts share no word, name, digits or cognates.

    See `shares_surface` and `has_cognates` in `semantic_hub.alignment.surface`.

    Returns:
        None where that leaves fewer than 2 pairs, or all of them; prompts without text share none.
    """
    keep = [not _shared(x, y) for x, y in pairs]
    return _subset(pairs, keep) if 2 <= sum(keep) < len(pairs) else None


def shared_surface(pairs: Pairs) -> dict[str, int]:
    """Number of pairs that `without_shared_surface` drops, by reason.

    Example:
        >>> pairs = Pairs.from_prompts(["Ana", "music", "dog"], ["Ana", "música", "perro"])
        >>> shared_surface(pairs)
        {'a word in common': 1, 'cognates': 1}
    """
    found = [_shared(x, y) for x, y in pairs]
    return {reason: found.count(reason) for reason in _REASONS}


def romanized_pairs(pairs: Pairs) -> Pairs | None:
    """Pairs with text in another script than Latin, transliterated to Latin letters.

    Returns:
        None for fewer than 2 such pairs, or where a prompt has a position of its own: it would be
        another one in the new text.
    """
    keep = [not (is_latin(x.text or "") and is_latin(y.text or "")) for x, y in pairs]
    if sum(keep) < 2 or any(p.position is not None for p in pairs.x + pairs.y):
        return None
    chosen = _subset(pairs, keep)
    x, y = (tuple(map(_romanized, side)) for side in (chosen.x, chosen.y))
    return replace(chosen, x=x, y=y)


def _shuffled_or_why_not(model: HookedModel, pairs: Pairs, seed: int) -> Pairs | str:
    if isinstance(model, States) and model.tokenizer is None:
        return "recorded without a tokenizer"
    return shuffled_tokens(model, pairs, seed) or "at most half of the pairs would change"


def _aligned(hard_negatives: Pairs | None, pairs: Pairs) -> Pairs | None:
    if hard_negatives is not None and hard_negatives.x != pairs.x:
        raise SemanticHubError(
            "stacked_controls",
            got=f"{len(hard_negatives)} hard negatives for {len(pairs)} pairs, not with the same x",
            expected="row i with the x of pair i, and a y that differs in one fact",
            fix="Keep x as it is, and replace y.",
        )
    return hard_negatives


def _shuffled(prompt: Prompt, encoding: Encoding, rng: np.random.Generator) -> Prompt:
    """Prompt with its own tokens in another order if there is one, read at the same position.

    Spans of features stay where they are, each with its rows in another order.
    """
    tokens = np.array(encoding.tokens)
    features = [position for span in encoding.spans for position in span]
    words = np.setdiff1d(np.array(encoding.own_positions), features)
    own = tokens[words].copy()
    while len(set(own)) > 1 and (tokens[words] == own).all():
        tokens[words] = rng.permutation(own)
    (read,) = read_positions([prompt], [encoding])[0]
    soft = [replace(place, span=_shuffled_rows(place.span, rng)) for place in encoding.soft]
    new = replace(encoding, tokens=tuple(tokens.tolist()), soft=tuple(soft))
    return replace(new.first(len(new)), position=read)


def _differs(new: Prompt, old: Encoding) -> bool:
    return replace(new, position=None) != old.first(len(old))


def _shuffled_rows(span: SoftTokens, rng: np.random.Generator) -> SoftTokens:
    """Features with their rows in another order, if the rows differ."""
    order = np.arange(len(span))
    others = (span.features != span.features[:1]).any()
    while others and (span.features[order] == span.features).all():
        order = rng.permutation(order)
    return SoftTokens(span.features[order])


def _shared(x: Prompt, y: Prompt) -> str:
    """Reason to drop a pair for its shared surface, or an empty string."""
    texts = (x.text or "", y.text or "")
    in_common = shares_surface(*texts)
    return _REASONS[0] if in_common else _REASONS[1] if has_cognates(*texts) else ""


def _subset(pairs: Pairs, keep: Sequence[bool]) -> Pairs:
    def kept(values: tuple) -> tuple:
        return tuple(value for value, stays in zip(values, keep, strict=True) if stays)

    labels = kept(pairs.labels) if pairs.labels else ()
    return replace(pairs, x=kept(pairs.x), y=kept(pairs.y), labels=labels)


def _romanized(prompt: Prompt) -> Prompt:
    return replace(prompt, text=romanized(prompt.text)) if prompt.text else prompt


def _why_no_subset(pairs: Pairs) -> str:
    share = any(_shared(x, y) for x, y in pairs)
    return "it leaves fewer than 2 pairs" if share else "no pair has any to share"


def _why_not_romanized(pairs: Pairs) -> str:
    if any(prompt.position is not None for prompt in pairs.x + pairs.y):
        return "prompts have positions of their own"
    latin = all(is_latin(prompt.text or "") for prompt in pairs.x + pairs.y)
    return "all letters are Latin" if latin else "fewer than 2 pairs have other letters"
