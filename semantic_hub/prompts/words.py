"""Find the token ids of words: what a model predicts when it predicts a word.

A word is looked up as the *continuation of a text*, never alone: tokenizers of the SentencePiece
kind add a space before the first word of an input (Llama 2 turns ``"dog"`` into ``"▁dog"`` but
``"x" + "dog"`` into ``"dog"``). So every spelling is tokenized after a line break, and the tokens
of the line break are removed again. That distinguishes ``"dog"`` from ``" dog"`` wherever the
tokenizer does, without a list of tokenizers.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from unicodedata import normalize

from transformers import PreTrainedTokenizerBase

from semantic_hub.errors import NothingLeftError, SemanticHubError
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import NEXT, Readout, read_tokens

ANCHOR = "\n"
"""The text after which spellings are tokenized."""

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
    """First tokens of a word's spellings, and all tokens of each spelling.

    Args:
        word: The word, without surrounding spaces.
        tokens: Distinct first tokens of its spellings; none if `problem` is set.
        spellings: All tokens of each spelling that counts, including those after a space marker.
        problem: `UNKNOWN` or `UNUSABLE` where no spelling can be scored, else None.
    """

    word: str
    tokens: Tokens
    spellings: tuple[Tokens, ...]
    problem: str | None = None
    __repr__ = short_repr

    @property
    def whole(self) -> bool:
        """Whether every spelling of the word is a single token."""
        return self.problem is None and self.fits(1)

    def fits(self, longest: int) -> bool:
        """Whether every spelling has at most `longest` tokens."""
        return all(len(spelling) <= longest for spelling in self.spellings)

    def scored(self, longest: int) -> tuple[Tokens, ...]:
        """Token sequences to score: full spellings if all fit into `longest`, else first tokens."""
        return self.spellings if self.fits(longest) else tuple((first,) for first in self.tokens)


@dataclass(frozen=True)
class CandidateTokens:
    """Candidate tokens of the read-outs that can be scored, and counts of those that cannot.

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
    __repr__ = short_repr

    @property
    def tokens(self) -> tuple[tuple[Tokens, ...], ...]:
        """First tokens of the spellings, as ``tokens[readout][group]``."""
        return tuple(
            tuple(tuple(dict.fromkeys(spelling[0] for spelling in group)) for group in groups)
            for groups in self.spellings
        )

    @property
    def n_tokens(self) -> tuple[Tokens, ...]:
        """Number of tokens in the longest spelling, as ``n_tokens[readout][group]``."""
        return tuple(tuple(max(map(len, group)) for group in groups) for groups in self.spellings)

    def __len__(self) -> int:
        return len(self.kept)


@dataclass(frozen=True)
class NextToken:
    """The token that follows a read-out's prompt in its text, or the reason why it cannot be used.

    Args:
        token: Its id; None where no text follows, or where there is a problem.
        problem: `CROSSES` or `SPLIT`, else None.
    """

    token: int | None = None
    problem: str | None = None
    __repr__ = short_repr


def continuation(tokenizer: PreTrainedTokenizerBase, text: str) -> Tokens:
    """Tokenize a text as it would be inside a longer text, not at its beginning.

    Args:
        tokenizer: The model's tokenizer.
        text: The continuation; it begins with a space only if it is written with one.

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
    """Token ids of a text, without special tokens."""
    return list(tokenizer.encode(text, add_special_tokens=False))


def decode(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    """Text of token ids, with spaces unchanged."""
    return str(tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """Text of one token inside a longer text, its leading space included.

    A token that is only a part of a character is given as its bytes: ``"<0xE4><0xB9>"``.

    Args:
        tokenizer: The model's tokenizer.
        token: Token id.

    Returns:
        The text; pass it through `semantic_hub.plotting.text.display_token` for a figure.
    """
    before = token_ids(tokenizer, ANCHOR)
    start, both = decode(tokenizer, before), decode(tokenizer, [*before, token])
    text = both.removeprefix(start) if both.startswith(start) else decode(tokenizer, [token])
    piece = str(tokenizer.convert_ids_to_tokens(token))
    return _bytes_of(piece) if "\ufffd" in text else text


def word_tokens(
    tokenizer: PreTrainedTokenizerBase, word: str, *, cases: Sequence[Case] = ()
) -> WordTokens:
    """Find the tokens of a word, with and without a space before it.

    All spellings that are a single token count. If there are none, the first token of every
    spelling counts, or all of its tokens where words are scored in full. Special tokens and a piece
    that is only a space marker (``"▁"``) are never the first token of a word, though in full a word
    may follow a space marker; a spelling with an unknown token never counts.

    Args:
        tokenizer: The model's tokenizer.
        word: The word; surrounding spaces are removed, and accents joined to their letters.
        cases: Case variants to add, as functions: ``(str.capitalize, str.upper)``.

    Returns:
        The tokens, or the reason why there are none.

    Example:
        >>> dog = word_tokens(model.tokenizer, "dog")
        >>> [decode(model.tokenizer, [token]) for token in dog.tokens]
        ['dog', ' dog']
    """
    word = normalize("NFC", word.strip())
    spellings = [continuation(tokenizer, spelling) for spelling in _spellings(word, cases)]
    known = [tokens for tokens in spellings if tokens and tokenizer.unk_token_id not in tokens]
    usable = [tokens for tokens in known if not _is_blank(tokenizer, tokens[0])]
    if not usable:
        return WordTokens(word, (), (), UNUSABLE if known or not spellings else UNKNOWN)
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
    following: Sequence[NextToken] | None = None,
) -> CandidateTokens:
    """Find the token ids of each read-out's candidates; drop read-outs that cannot be scored.

    A read-out is kept if *every* candidate of it can be scored, and is otherwise dropped and
    counted under one of these reasons:

    - ``unknown token``: a candidate has no spelling without the unknown token;
    - ``no usable token``: a candidate has only special tokens and space markers to begin with;
    - ``ambiguous first token``: a candidate is scored by its first token alone, and that token
      also begins, or is, another candidate of this read-out, in whichever group;
    - ``shared token``: candidates of two groups are the same tokens, or those of one begin the
      other;
    - ``token crosses the read-out`` and ``next word is several tokens``: of read-outs that were
      taken from a longer text; see `following_tokens`.

    Args:
        tokenizer: The model's tokenizer.
        readouts: Read-outs that all name the same groups.
        cases: Case variants to add to each candidate; see `word_tokens`.
        longest: For each read-out, up to how many tokens a word is scored in full; a longer one is
            scored by its first token. None for 1 everywhere.
        following: For each read-out the token that actually follows, from `following_tokens`.
            None if no read-out has a text that follows.

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
            [
                _next_word_tokens(tokenizer, next_token.token) if word == NEXT else lookup(word)
                for word in readout.candidates[group]
            ]
            for group in groups
        ]
        for readout, next_token in zip(readouts, after, strict=True)
    ]
    problems = [
        next_token.problem or _problem(candidates, size)
        for candidates, size, next_token in zip(words, most, after, strict=True)
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


def following_tokens(model: HookedModel, readouts: Sequence[Readout]) -> list[NextToken]:
    """Find the token that follows each read-out's prompt in the text that it was cut from.

    With t(x) the tokens of a text as the model reads it, BOS included, a prompt p that f follows is
    read only where t(p f) begins with all of t(p) and goes on; the next token of t(p f) follows.
    Where a next word w is named, t(p f) must begin with t(p w), which must be one token longer.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        readouts: Read-outs, with or without a text that follows.

    Returns:
        For each read-out its next token, or `CROSSES` or `SPLIT` as the problem; neither of them
        where no text follows.

    Example:
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> readout = Readout(Prompt("the dog"), {"hub": ("horse",)}, " cat", " cat")
        >>> [following] = following_tokens(model, [readout])
        >>> model.tokenizer.decode([following.token]).strip()
        'cat'
    """
    tokens = cache(lambda text: read_tokens(model, text))
    return [
        _next_token(tokens, readout) if readout.following else NextToken() for readout in readouts
    ]


def _spellings(word: str, cases: Sequence[Case]) -> list[str]:
    """The word in each case, without and with a space before it."""
    forms = dict.fromkeys([word, *(case(word) for case in cases)])
    return [prefix + form for form in forms if form for prefix in ("", " ")]


def _is_blank(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether a token is special or only a space marker."""
    return token in tokenizer.all_special_ids or not decode(tokenizer, [token]).strip()


def _groups(readouts: Sequence[Readout]) -> tuple[str, ...]:
    """The names of the groups, which must be the same in every read-out."""
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
    readouts: Sequence[Readout], following: Sequence[NextToken] | None
) -> Sequence[NextToken]:
    """The next token of each read-out; required where a read-out has a text that follows."""
    if following is None and any(readout.following for readout in readouts):
        raise SemanticHubError(
            "candidates",
            got="read-outs with a text that follows them",
            expected="the tokens that follow",
            fix="Pass following=following_tokens(model, readouts), or use logit_lens.",
        )
    return [NextToken()] * len(readouts) if following is None else following


def _next_word_tokens(tokenizer: PreTrainedTokenizerBase, token: int | None) -> WordTokens:
    """The next token as a candidate word; unknown where there is none."""
    if token is None or token == tokenizer.unk_token_id:
        return WordTokens(NEXT, (), (), UNKNOWN)
    return WordTokens(NEXT, (token,), ((token,),))


def _next_token(tokens: Callable[[str], Tokens], readout: Readout) -> NextToken:
    """The token after a read-out that has a text which follows."""
    text = readout.prompt.text or ""
    before, whole = tokens(text), tokens(text + readout.following)
    if whole[: len(before)] != before or len(whole) == len(before):
        return NextToken(problem=CROSSES)
    if readout.next_word and tokens(text + readout.next_word) != whole[: len(before) + 1]:
        return NextToken(problem=SPLIT)
    return NextToken(whole[len(before)])


def _problem(groups: Sequence[Sequence[WordTokens]], longest: int) -> str | None:
    """Why a read-out with these candidates cannot be scored; None if it can."""
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
    return SHARED if any(_overlap(one, other) for one, other in permutations(scored, 2)) else None


def _scored(group: Sequence[WordTokens], longest: int) -> tuple[Tokens, ...]:
    """All distinct token sequences that are scored for a group of words."""
    return tuple(dict.fromkeys(spelling for word in group for spelling in word.scored(longest)))


def _overlap(one: Set[Tokens], other: Set[Tokens]) -> bool:
    """Whether a spelling in `one` equals, or is the beginning of, one in `other`."""
    return any(spelling[:size] in one for spelling in other for size in range(1, len(spelling) + 1))


def _nothing_left(dropped: Mapping[str, int]) -> NothingLeftError:
    """The error where every read-out was dropped."""
    counts = ", ".join(f"{reason}: {count}" for reason, count in dropped.items() if count)
    return NothingLeftError(
        "candidates",
        got=f"no read-out that can be scored, {sum(dropped.values())} dropped ({counts})",
        expected="at least one read-out where each word has a usable token of its own",
        fix="Choose words that this tokenizer knows as one token, or that begin differently.",
    )


def _bytes_of(piece: str) -> str:
    """A raw vocabulary piece as bytes: byte-level BPE writes each byte as one letter."""
    table = _byte_letters()
    if not all(letter in table for letter in piece) or piece.startswith("<0x"):
        return piece
    return "".join(f"<0x{table[letter]:02X}>" for letter in piece)


@cache
def _byte_letters() -> dict[str, int]:
    """Letter to byte, as byte-level BPE writes it: printable Latin-1 stays, others from U+0100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + index): byte for index, byte in enumerate(moved)
    }
