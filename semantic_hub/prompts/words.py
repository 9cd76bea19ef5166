"""Find the token ids of words: what a model predicts when it predicts a word.

A word is looked up *in place*, as the continuation of a text, never alone: tokenizers of the
SentencePiece kind add a space before the first word of an input (Llama 2 turns ``"dog"`` into
``"▁dog"`` but ``"x" + "dog"`` into ``"dog"``), and others merge a word with what stands before it.
Its spellings are the word with and without a space before it, in each case that is asked for. A
spelling *can stand* after a text if

- the tokens of the text are the first tokens of text and spelling together; the others are the
  spelling's. Otherwise a token crosses from the text into the spelling, and a model that has read
  the text does not say the spelling by going on;
- it begins a word: after "the dog is", "black" without a space makes another word, "isblack". After
  a quotation mark, a line break, or a letter of a script that is written without spaces it does.
  Such a spelling counts only where the first token of every other one is a mere space.

Without a text, a word is looked up after a line break.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import permutations

from transformers import PreTrainedTokenizerBase

from semantic_hub.errors import NothingLeftError, SemanticHubError, as_list, check_kinds
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import (
    NEXT,
    Encoding,
    PromptLike,
    Readout,
    as_prompt,
    encode,
    read_tokens,
)

ANCHOR = "\n"
"""What is put before the text after which spellings are tokenized."""

_SHORTEST_TAIL, _LONGEST_TAIL = 2, 64
"""Number of tokens before a word that decide how it is tokenized."""

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
"""Scripts without spaces between words, as Unicode names of letters begin with them."""

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
    """All spellings of a word that can stand in a place, as tokens.

    Args:
        word: The word, without surrounding spaces.
        spellings: All tokens of each spelling; none if `problem` is set. No spelling begins
            another one.
        blank: Tokens that say nothing of a word that begins with them: special ones, and those
            that are only a space marker (``"▁"``).
        problem: `CROSSES`, `UNKNOWN` or `UNUSABLE` where no spelling can be scored, else None.
    """

    word: str
    spellings: tuple[Tokens, ...]
    blank: frozenset[int] = frozenset()
    problem: str | None = None
    __repr__ = short_repr

    @property
    def single(self) -> Tokens:
        """The spellings that are one token."""
        return tuple(s[0] for s in self.spellings if len(s) == 1 and s[0] not in self.blank)

    @property
    def firsts(self) -> Tokens:
        """Distinct first tokens of the spellings, but for those that say nothing of the word."""
        firsts = dict.fromkeys(spelling[0] for spelling in self.spellings)
        return tuple(token for token in firsts if token not in self.blank)

    @property
    def tokens(self) -> Tokens:
        """What stands for the word where it has to be one token: `single`, or else `firsts`."""
        return self.single or self.firsts

    def fits(self, longest: int) -> bool:
        """Whether every spelling has at most `longest` tokens."""
        return all(len(spelling) <= longest for spelling in self.spellings)

    def scored(self, longest: int) -> tuple[Tokens, ...]:
        """Token sequences to score: full spellings if all fit into `longest`, else first tokens."""
        return self.spellings if self.fits(longest) else tuple((first,) for first in self.firsts)

    def cut(self, longest: int) -> frozenset[int]:
        """First tokens that are scored in the place of a longer spelling."""
        if self.fits(longest):
            return frozenset()
        return frozenset(s[0] for s in self.spellings if len(s) > 1) - self.blank


@dataclass(frozen=True)
class CandidateTokens:
    """Candidate tokens of the read-outs that can be scored, and counts of those that cannot.

    Args:
        groups: Names of the candidate groups.
        kept: Index of each kept read-out in the list that was given.
        words: What is scored, as ``words[readout][group][word]``: at least one sequence of token
            ids each, a spelling's first token alone where no more of it is scored.
        first_token_only: ``first_token_only[readout][group]`` is True where some word of the
            group is scored by its first token.
        dropped: Number of dropped read-outs for each of `REASONS`.
    """

    groups: tuple[str, ...]
    kept: tuple[int, ...]
    words: tuple[tuple[tuple[tuple[Tokens, ...], ...], ...], ...]
    first_token_only: tuple[tuple[bool, ...], ...]
    dropped: Mapping[str, int]
    __repr__ = short_repr

    @property
    def tokens(self) -> tuple[tuple[Tokens, ...], ...]:
        """First tokens of the spellings, as ``tokens[readout][group]``."""
        return tuple(
            tuple(
                tuple(dict.fromkeys(spelling[0] for word in group for spelling in word))
                for group in groups
            )
            for groups in self.words
        )

    @property
    def n_tokens(self) -> tuple[Tokens, ...]:
        """Number of tokens in the longest spelling, as ``n_tokens[readout][group]``."""
        return tuple(
            tuple(max(len(spelling) for word in group for spelling in word) for group in groups)
            for groups in self.words
        )

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
    tokenizer: PreTrainedTokenizerBase,
    word: str,
    *,
    before: Tokens = (),
    cases: Sequence[Case] = (),
) -> WordTokens:
    """Find the tokens of a word, with and without a space before it.

    Every spelling that can stand after the tokens before it counts. A spelling with a special token
    or an unknown one never does.

    Args:
        tokenizer: The model's tokenizer.
        word: The word; surrounding spaces are removed, and accents joined to their letters.
        before: The tokens of the text that the word continues, without BOS; none for a line break.
        cases: Case variants to add, as functions: ``(str.capitalize, str.upper)``.

    Returns:
        The tokens, or the reason why there are none.

    Example:
        >>> dog = word_tokens(model.tokenizer, "dog")
        >>> [decode(model.tokenizer, [token]) for token in dog.tokens]
        ['dog', ' dog']
    """
    check_kinds("word_tokens", word=(word, str))
    cases = as_list("word_tokens", "cases", cases, Callable)
    return _words_in_place(tokenizer, [(before, word)], cases)[before, word]


def candidate_tokens(
    model: HookedModel,
    readouts: Sequence[Readout],
    *,
    cases: Sequence[Case] = (),
    longest: Sequence[int] | None = None,
) -> CandidateTokens:
    """Find the token ids of each read-out's candidates; drop read-outs that cannot be scored.

    Each candidate is looked up in place, after the tokens up to the one that is read (`places`). A
    read-out is kept if *every* candidate of it can be scored, and is otherwise dropped and counted
    under one of these reasons:

    - ``unknown token``: a candidate has no spelling without the unknown token;
    - ``no usable token``: a candidate has only special tokens and space markers to begin with;
    - ``ambiguous first token``: a spelling is scored by its first token alone, and that token
      also begins, or is, another candidate of this read-out, in whichever group;
    - ``shared token``: candidates of two groups are the same tokens, or those of one begin the
      other;
    - ``token crosses the read-out``: no spelling of a candidate can stand after the prompt, or the
      tokens of the prompt are not the first of the text that it was cut from;
    - ``next word is several tokens``: of read-outs that were taken from a longer text; see
      `following_tokens`.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        readouts: Read-outs that all name the same groups.
        cases: Case variants to add to each candidate; see `word_tokens`.
        longest: For each read-out, up to how many tokens a word is scored in full; a longer one is
            scored by the first tokens of its spellings. None for 1 everywhere.

    Returns:
        The kept read-outs' tokens and the counts of the dropped ones.

    Raises:
        SemanticHubError: No read-outs, groups that differ between read-outs, a position out of
            range, or not one read-out left.

    Example:
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> readout = Readout(Prompt("the dog is"), {"en": ("black",), "es": ("negro",)})
        >>> candidate_tokens(model, [readout]).kept
        (0,)
    """
    groups = _groups(readouts)
    after = following_tokens(model, readouts)
    most = [1] * len(readouts) if longest is None else longest
    before = places(model, [readout.prompt for readout in readouts])
    wanted = (
        (place, word)
        for place, readout in zip(before, readouts, strict=True)
        for group in groups
        for word in readout.candidates[group]
        if word != NEXT
    )
    found = _words_in_place(model.tokenizer, wanted, cases)
    words = [
        [
            [
                _next_word_tokens(model.tokenizer, next_token.token)
                if word == NEXT
                else found[place, word]
                for word in readout.candidates[group]
            ]
            for group in groups
        ]
        for readout, next_token, place in zip(readouts, after, before, strict=True)
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
        tuple(
            tuple(tuple(word.scored(most[index]) for word in group) for group in words[index])
            for index in kept
        ),
        tuple(
            tuple(any(word.cut(most[index]) for word in group) for group in words[index])
            for index in kept
        ),
        dropped,
    )


def places(model: HookedModel, prompts: Sequence[PromptLike]) -> list[Tokens]:
    """Find the tokens that a word at each prompt's position would follow, as far as they matter.

    They are the last own tokens up to the one that is read, after any features: at least two of
    them, back to one that does not begin inside a word, so that places repeat. Ids that no text is
    tokenized to are left out as far as is needed; where nothing is left, the place is empty.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        prompts: Each is read at its own ``position``, the last one by default.

    Raises:
        SemanticHubError: As `semantic_hub.prompts.prompt.encode`, or a position out of range.

    Example:
        >>> [place] = places(model, ["the cat and the dog"])
        >>> decode(model.tokenizer, place)
        ' the dog'
    """
    encodings = encode(model, prompts)
    read = read_positions([as_prompt(p) for p in prompts], encodings)
    tail = cache(lambda tokens: _tail(model.tokenizer, tokens))
    return [
        tail(_own_text(encoding, position)[-_LONGEST_TAIL:])
        for encoding, (position,) in zip(encodings, read, strict=True)
    ]


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


def _own_text(encoding: Encoding, position: int) -> Tokens:
    """The own tokens up to a position, after the last features; none among features."""
    ends = [span.stop for span in encoding.spans if span.start <= position]
    return encoding.tokens[max([encoding.own_positions.start, *ends]) : position + 1]


def _tail(tokenizer: PreTrainedTokenizerBase, tokens: Tokens) -> Tokens:
    """The shortest end of the tokens that is a text's, and begins at the beginning of a word."""
    shortest = min(_SHORTEST_TAIL, len(tokens))
    for size in (*range(shortest, len(tokens) + 1), *range(shortest - 1, 0, -1)):
        tail = tokens[len(tokens) - size :]
        text, anchored = _anchored(tokenizer, tail)
        inside = shortest <= size < len(tokens) and text[len(ANCHOR) :][:1].isalpha()
        if not inside and tuple(token_ids(tokenizer, text)) == anchored:
            return tail
    return ()


def _anchored(tokenizer: PreTrainedTokenizerBase, tokens: Tokens) -> tuple[str, Tokens]:
    """Text and tokens of a line break and what follows it."""
    anchored = (*token_ids(tokenizer, ANCHOR), *tokens)
    return (decode(tokenizer, anchored) if tokens else ANCHOR), anchored


def _words_in_place(
    tokenizer: PreTrainedTokenizerBase,
    wanted: Iterable[tuple[Tokens, str]],
    cases: Sequence[Case],
) -> dict[tuple[Tokens, str], WordTokens]:
    """Tokens of words after the tokens before each; what is tokenized is tokenized at once."""
    distinct = list(dict.fromkeys(wanted))
    anchored = {place: _anchored(tokenizer, place) for place in {place for place, _ in distinct}}
    composed = {word: unicodedata.normalize("NFC", word.strip()) for _, word in distinct}
    written = {word: _spellings(composed[word], cases) for word in composed}
    texts = dict.fromkeys(anchored[p][0] + form for p, word in distinct for form in written[word])
    encoded = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
    tokens = dict(zip(texts, map(tuple, encoded), strict=True))

    special = frozenset(tokenizer.all_special_ids)
    is_blank = cache(lambda token: not decode(tokenizer, [token]).strip())

    def usable(word: str, spellings: Sequence[Tokens], problem: str = UNUSABLE) -> WordTokens:
        known = [tokens for tokens in spellings if tokenizer.unk_token_id not in tokens]
        begun = [tokens for tokens in dict.fromkeys(known) if special.isdisjoint(tokens)]
        blank = frozenset(tokens[0] for tokens in begun if is_blank(tokens[0]))
        of_word = [t for t in begun if len(t) > 1 or blank.isdisjoint(t)]
        if of_word:
            return WordTokens(word, _none_begins_another(of_word), blank)
        return WordTokens(word, (), problem=UNKNOWN if spellings and not known else problem)

    def found(place: Tokens, word: str) -> WordTokens:
        text, before = anchored[place]
        whole = {form: tokens[text + form] for form in written[word]}
        standing = {
            form: continued[len(before) :]
            for form, continued in whole.items()
            if continued[: len(before)] == before and len(continued) > len(before)
        }
        apart = [form for form in standing if not _joins(text, form)]
        beginning = usable(composed[word], [standing[form] for form in apart])
        if beginning.firsts:
            return beginning
        problem = UNUSABLE if standing or not whole else CROSSES
        return usable(composed[word], list(standing.values()), problem)

    return {(place, word): found(place, word) for place, word in distinct}


def _joins(text: str, spelling: str) -> bool:
    """Whether a spelling goes on with the text's last word instead of beginning another one."""
    return _in_spaced_word(text[-1:]) and _in_spaced_word(spelling[:1])


def _in_spaced_word(character: str) -> bool:
    """Whether it is a letter or digit of a script that is written with spaces between words."""
    in_word = unicodedata.category(character)[0] in "LMN"
    return in_word and not unicodedata.name(character, "").startswith(_UNSPACED)


def _none_begins_another(spellings: Sequence[Tokens]) -> tuple[Tokens, ...]:
    """Spellings without those that go on from another one, whose probability has theirs in it."""
    return tuple(
        s for s in spellings if not any(s[:size] in spellings for size in range(1, len(s)))
    )


def _spellings(word: str, cases: Sequence[Case]) -> list[str]:
    """The word in each case, without and with a space before it."""
    forms = dict.fromkeys([word, *(case(word) for case in cases)])
    return [prefix + form for form in forms if form for prefix in ("", " ")]


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


def _next_word_tokens(tokenizer: PreTrainedTokenizerBase, token: int | None) -> WordTokens:
    """The next token as a candidate word; unknown where there is none."""
    if token is None or token == tokenizer.unk_token_id:
        return WordTokens(NEXT, (), problem=UNKNOWN)
    return WordTokens(NEXT, ((token,),))


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
    if not all(word.scored(longest) for word in words):
        return UNUSABLE
    owners = Counter(spelling[0] for word in words for spelling in set(word.scored(longest)))
    if any(owners[token] > 1 for word in words for token in word.cut(longest)):
        return AMBIGUOUS
    scored = [{s for word in group for s in word.scored(longest)} for group in groups]
    return SHARED if any(_overlap(one, other) for one, other in permutations(scored, 2)) else None


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
        fix="Choose words that this tokenizer knows as one token, or that begin differently, and "
        "end prompts where a word may begin, without a space.",
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
