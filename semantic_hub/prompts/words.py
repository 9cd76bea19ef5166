"""Words to token ids: with which tokens would a model begin to say this word?

A word is looked up as the *continuation of a text*, never alone: tokenizers of the
SentencePiece kind put a space of their own before the first word of an input (Llama 2 turns
``"dog"`` into ``"▁dog"`` but ``"x" + "dog"`` into ``"dog"``). So every spelling is tokenised
behind a line break, and the line break's own tokens are taken off again. That tells ``"dog"``
and ``" dog"`` apart wherever a tokenizer does, and asks no tokenizer for its name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import permutations

from transformers import PreTrainedTokenizerBase

from semantic_hub.errors import NothingLeftError, SemanticHubError
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import NEXT, Readout, read_tokens

ANCHOR = "\n"
"""The text behind which spellings are tokenised."""

SHARED = "shared token"
AMBIGUOUS = "ambiguous first token"
UNKNOWN = "unknown token"
UNUSABLE = "no usable token"
CROSSES = "token crosses the read-out"
SPLIT = "next word is several tokens"
REASONS = (SHARED, AMBIGUOUS, UNKNOWN, UNUSABLE, CROSSES, SPLIT)
"""Why a read-out is dropped; see `candidate_tokens`."""

Case = Callable[[str], str]
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class WordTokens:
    """The tokens that stand for one word.

    Args:
        word: The word, without surrounding spaces.
        tokens: The distinct tokens that its spellings begin with; none if `problem` is set.
        spellings: All tokens of each spelling that counts, those behind a space marker included.
        problem: `UNKNOWN` or `UNUSABLE` where no spelling can be scored, else None.
    """

    word: str
    tokens: Tokens
    spellings: tuple[Tokens, ...]
    problem: str | None = None

    @property
    def whole(self) -> bool:
        """True where each token is the whole word, False where it is only its beginning."""
        return self.problem is None and self.fits(1)

    def fits(self, longest: int) -> bool:
        """Whether no spelling has more than so many tokens."""
        return all(len(spelling) <= longest for spelling in self.spellings)

    def scored(self, longest: int) -> tuple[Tokens, ...]:
        """What stands for the word: its spellings if they fit, else the tokens they begin with."""
        return self.spellings if self.fits(longest) else tuple((first,) for first in self.tokens)


@dataclass(frozen=True)
class CandidateTokens:
    """The tokens of every read-out that can be scored, and a count of those that cannot.

    Args:
        groups: Names of the candidate groups.
        kept: Index of each kept read-out in the list that was given.
        spellings: What is scored, as ``spellings[readout][group]``: at least one sequence of token
            ids each, a word's first token alone where no more of it is scored.
        first_token_only: ``first_token_only[readout][group]`` is True where some word of the
            group is scored by its first token.
        dropped: Number of dropped read-outs for each of `REASONS`.
    """

    groups: tuple[str, ...]
    kept: tuple[int, ...]
    spellings: tuple[tuple[tuple[Tokens, ...], ...], ...]
    first_token_only: tuple[tuple[bool, ...], ...]
    dropped: Mapping[str, int]

    @property
    def tokens(self) -> tuple[tuple[Tokens, ...], ...]:
        """The tokens that the spellings begin with, as ``tokens[readout][group]``."""
        return tuple(
            tuple(tuple(dict.fromkeys(spelling[0] for spelling in group)) for group in groups)
            for groups in self.spellings
        )

    @property
    def n_tokens(self) -> tuple[Tokens, ...]:
        """Tokens in the longest spelling, as ``n_tokens[readout][group]``."""
        return tuple(tuple(max(map(len, group)) for group in groups) for groups in self.spellings)

    def __len__(self) -> int:
        return len(self.kept)


def continuation(tokenizer: PreTrainedTokenizerBase, text: str) -> Tokens:
    """Token ids with which `text` continues a text that came before.

    Args:
        tokenizer: The model's tokenizer.
        text: What follows; a leading space means a space, no leading space means none.

    Returns:
        Token ids, without special tokens and without a prefix space that `text` does not have.

    Example:
        >>> decode(model.tokenizer, continuation(model.tokenizer, " dog"))
        ' dog'
    """
    before = token_ids(tokenizer, ANCHOR)
    both = token_ids(tokenizer, ANCHOR + text)
    cut = both[: len(before)] == before and len(both) > len(before)
    return tuple(both[len(before) :] if cut else token_ids(tokenizer, text))


def token_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text alone, without special tokens."""
    return list(tokenizer.encode(text, add_special_tokens=False))


def decode(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    """The text of token ids, its spaces left as they are."""
    return str(tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


def word_tokens(
    tokenizer: PreTrainedTokenizerBase, word: str, *, cases: Sequence[Case] = ()
) -> WordTokens:
    """Tokens that stand for a word, with and without a space before it.

    Spellings that are one token count, all of them. Where there is none, the first token of every
    spelling counts, or all of its tokens where words are scored in full. A piece that is nothing
    but a space marker (``"▁"``) and special tokens are never the first token of a word, though in
    full a word may follow a space marker; a spelling with an unknown token never counts.

    Args:
        tokenizer: The model's tokenizer.
        word: The word; surrounding spaces are taken off.
        cases: Case variants to add, as functions: ``(str.capitalize, str.upper)``.

    Returns:
        The tokens, or the problem why there are none.

    Example:
        >>> found = word_tokens(model.tokenizer, "dog")
        >>> [decode(model.tokenizer, [token]) for token in found.tokens]
        ['dog', ' dog']
    """
    word = word.strip()
    found = [continuation(tokenizer, spelling) for spelling in _spellings(word, cases)]
    known = [tokens for tokens in found if tokens and tokenizer.unk_token_id not in tokens]
    usable = [tokens for tokens in known if not _is_blank(tokenizer, tokens[0])]
    if not usable:
        return WordTokens(word, (), (), UNUSABLE if known or not found else UNKNOWN)
    whole = [tokens for tokens in usable if len(tokens) == 1]
    firsts = dict.fromkeys(tokens[0] for tokens in whole or usable)
    in_full = [tokens for tokens in known if tokens[0] not in tokenizer.all_special_ids]
    return WordTokens(word, tuple(firsts), tuple(dict.fromkeys(whole or in_full)))


def candidate_tokens(
    tokenizer: PreTrainedTokenizerBase,
    readouts: Sequence[Readout],
    *,
    cases: Sequence[Case] = (),
    longest: Sequence[int] | None = None,
    following: Sequence[int | str | None] | None = None,
) -> CandidateTokens:
    """Token ids of the candidates of every read-out, group by group.

    A read-out is kept if *every* candidate of it can be scored, and is otherwise dropped and
    counted under one of these reasons:

    - ``unknown token``: a candidate has no spelling without the unknown token;
    - ``no usable token``: a candidate has only special tokens and space markers to begin with;
    - ``ambiguous first token``: a candidate is scored by its first token alone, and that token
      also begins, or is, another candidate of this read-out, in whichever group;
    - ``shared token``: candidates of two groups are the same tokens, or those of one begin the
      other;
    - ``token crosses the read-out`` and ``next word is several tokens``: of read-outs that were
      taken from a longer text; see `semantic_hub.prompts.words.following_tokens`.

    Args:
        tokenizer: The model's tokenizer.
        readouts: Read-outs that all name the same groups.
        cases: Case variants to add to each candidate; see `word_tokens`.
        longest: For each read-out, up to how many tokens a word is scored in full; a longer one is
            scored by its first token. None for 1 everywhere.
        following: For each read-out the token that really follows, or why there is none, as
            `semantic_hub.prompts.words.following_tokens` gives it. None where no read-out has a text
            that follows.

    Returns:
        The kept read-outs' tokens and the counts of the dropped ones.

    Raises:
        SemanticHubError: No read-outs, groups that differ between read-outs, texts that follow
            without their tokens, or not one read-out left.
    """
    groups = _groups(readouts)
    after = _following(readouts, following)
    most = [1] * len(readouts) if longest is None else longest
    lookup = cache(lambda word: word_tokens(tokenizer, word, cases=cases))
    words = [
        [
            [_next(tokenizer, token) if word == NEXT else lookup(word) for word in r.candidates[g]]
            for g in groups
        ]
        for r, token in zip(readouts, after, strict=True)
    ]
    problems = [
        token if isinstance(token, str) else _problem(candidates, size)
        for candidates, size, token in zip(words, most, after, strict=True)
    ]
    dropped = {reason: problems.count(reason) for reason in REASONS}
    kept = tuple(index for index, problem in enumerate(problems) if problem is None)
    if not kept:
        raise _nothing_left(dropped)
    return CandidateTokens(
        groups,
        kept,
        tuple(tuple(_scored(group, most[index]) for group in words[index]) for index in kept),
        tuple(
            tuple(not all(word.fits(most[index]) for word in group) for group in words[index])
            for index in kept
        ),
        dropped,
    )


def _spellings(word: str, cases: Sequence[Case]) -> list[str]:
    forms = dict.fromkeys([word, *(case(word) for case in cases)])
    return [prefix + form for form in forms if form for prefix in ("", " ")]


def _is_blank(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    return token in tokenizer.all_special_ids or not decode(tokenizer, [token]).strip()


def _groups(readouts: Sequence[Readout]) -> tuple[str, ...]:
    if not readouts:
        raise SemanticHubError(
            "candidates",
            got="0 read-outs",
            expected="at least one",
            fix="Pass a non-empty list of Readout.",
        )
    groups = tuple(readouts[0].candidates)
    for index, readout in enumerate(readouts):
        if set(readout.candidates) != set(groups):
            raise SemanticHubError(
                "candidates",
                got=f"groups {sorted(readout.candidates)} in read-out {index}",
                expected=f"the groups {sorted(groups)} of read-out 0",
                fix="Name the same groups in every read-out, or score them in separate calls.",
            )
    return groups


def _following(
    readouts: Sequence[Readout], following: Sequence[int | str | None] | None
) -> Sequence[int | str | None]:
    if following is None and any(readout.following for readout in readouts):
        raise SemanticHubError(
            "candidates",
            got="read-outs with a text that follows them",
            expected="the tokens that follow",
            fix="Pass following=following_tokens(model, readouts), or use logit_lens.",
        )
    return [None] * len(readouts) if following is None else following


def _next(tokenizer: PreTrainedTokenizerBase, token: int | str | None) -> WordTokens:
    """The token that really follows, whatever it is; there is none where that is a reason."""
    if not isinstance(token, int) or token == tokenizer.unk_token_id:
        return WordTokens(NEXT, (), (), UNKNOWN)
    return WordTokens(NEXT, (token,), ((token,),))


def _problem(groups: Sequence[Sequence[WordTokens]], longest: int) -> str | None:
    if not all(groups):
        return UNUSABLE
    words = {word.word: word for group in groups for word in group}.values()
    problems = [word.problem for word in words if word.problem]
    if problems:
        return problems[0]
    owners = Counter(token for word in words for token in word.tokens)
    if any(owners[token] > 1 for word in words if not word.fits(longest) for token in word.tokens):
        return AMBIGUOUS
    scored = [set(_scored(group, longest)) for group in groups]
    return SHARED if any(_meet(one, other) for one, other in permutations(scored, 2)) else None


def _scored(group: Sequence[WordTokens], longest: int) -> tuple[Tokens, ...]:
    return tuple(dict.fromkeys(spelling for word in group for spelling in word.scored(longest)))


def _meet(one: Set[Tokens], other: Set[Tokens]) -> bool:
    """Whether a spelling of the first is, or begins, one of the other."""
    return any(spelling[:size] in one for spelling in other for size in range(1, len(spelling) + 1))


def _nothing_left(dropped: Mapping[str, int]) -> NothingLeftError:
    counts = ", ".join(f"{reason}: {count}" for reason, count in dropped.items() if count)
    return NothingLeftError(
        "candidates",
        got=f"no read-out that can be scored, {sum(dropped.values())} dropped ({counts})",
        expected="at least one read-out where each word has a usable token of its own",
        fix="Choose words that this tokenizer knows as one token, or that begin differently.",
    )


def following_tokens(model: HookedModel, readouts: Sequence[Readout]) -> list[int | str | None]:
    """The token that really follows each read-out, or why it cannot be read there.

    With t(x) the tokens of a text as the model reads it, BOS included, a prompt p that f follows is
    read only where t(p f) begins with all of t(p) and goes on; the next token of t(p f) follows.
    Where a next word w is named, t(p f) must begin with t(p w), which must be one token longer.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        readouts: Read-outs, with or without a text that follows.

    Returns:
        For each read-out a token id, `semantic_hub.prompts.words.CROSSES` or `semantic_hub.prompts.words.SPLIT`;
        None where no text follows.

    Example:
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> readout = Readout(Prompt("the dog"), {"hub": ("horse",)}, " cat", " cat")
        >>> [token] = following_tokens(model, [readout])
        >>> model.tokenizer.decode([token]).strip()
        'cat'
    """
    tokens = cache(lambda text: read_tokens(model, text))
    return [
        _following_of_boundaries(tokens, readout) if readout.following else None
        for readout in readouts
    ]


def _following_of_boundaries(
    tokens: Callable[[str], tuple[int, ...]], readout: Readout
) -> int | str:
    text = readout.prompt.text or ""
    before, whole = tokens(text), tokens(text + readout.following)
    if whole[: len(before)] != before or len(whole) == len(before):
        return CROSSES
    if readout.next_word and tokens(text + readout.next_word) != whole[: len(before) + 1]:
        return SPLIT
    return whole[len(before)]
