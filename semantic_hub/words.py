"""Words to token ids: with which tokens would a model begin to say this word?

A word is looked up as the *continuation of a text*, never alone: tokenizers of the
SentencePiece kind put a space of their own before the first word of an input (Llama 2 turns
``"dog"`` into ``"▁dog"`` but ``"x" + "dog"`` into ``"dog"``). So every spelling is tokenised
behind a line break, and the line break's own tokens are taken off again. That tells ``"dog"``
and ``" dog"`` apart wherever a tokenizer does, and asks no tokenizer for its name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from transformers import PreTrainedTokenizerBase

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts import Readout

ANCHOR = "\n"
"""The text behind which spellings are tokenised."""

SHARED = "shared token"
AMBIGUOUS = "ambiguous first token"
UNKNOWN = "unknown token"
UNUSABLE = "no usable token"
REASONS = (SHARED, AMBIGUOUS, UNKNOWN, UNUSABLE)
"""Why a read-out is dropped; see `candidate_tokens`."""

Case = Callable[[str], str]


@dataclass(frozen=True)
class WordTokens:
    """The tokens that stand for one word.

    Args:
        word: The word, without surrounding spaces.
        tokens: Token ids, one for each spelling that counts; empty if `problem` is set.
        whole: True where each token is the whole word, False where it is only its beginning.
        problem: `UNKNOWN` or `UNUSABLE` where no spelling can be scored, else None.
    """

    word: str
    tokens: tuple[int, ...]
    whole: bool
    problem: str | None = None


@dataclass(frozen=True)
class CandidateTokens:
    """The tokens of every read-out that can be scored, and a count of those that cannot.

    Args:
        groups: Names of the candidate groups.
        kept: Index of each kept read-out in the list that was given.
        tokens: Token ids, as ``tokens[readout][group]``; each tuple has at least one.
        first_token_only: ``first_token_only[readout][group]`` is True where some word of the
            group is scored by its first token.
        dropped: Number of dropped read-outs for each of `REASONS`.
    """

    groups: tuple[str, ...]
    kept: tuple[int, ...]
    tokens: tuple[tuple[tuple[int, ...], ...], ...]
    first_token_only: tuple[tuple[bool, ...], ...]
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.kept)


def continuation(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
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

    Spellings that are one token count, all of them. Where there is none, the first token of
    every spelling counts. A piece that is nothing but a space marker (``"▁"``) and special
    tokens are never the first token of a word; a spelling with an unknown token never counts.

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
        return WordTokens(word, (), False, UNUSABLE if known or not found else UNKNOWN)
    whole = [tokens for tokens in usable if len(tokens) == 1]
    firsts = dict.fromkeys(tokens[0] for tokens in whole or usable)
    return WordTokens(word, tuple(firsts), bool(whole))


def candidate_tokens(
    tokenizer: PreTrainedTokenizerBase, readouts: Sequence[Readout], *, cases: Sequence[Case] = ()
) -> CandidateTokens:
    """Token ids of the candidates of every read-out, group by group.

    A read-out is kept if *every* candidate of it can be scored, and is otherwise dropped and
    counted under one of these reasons:

    - ``unknown token``: a candidate has no spelling without the unknown token;
    - ``no usable token``: a candidate has only special tokens and space markers to begin with;
    - ``ambiguous first token``: a candidate is longer than one token, and its first token also
      begins, or is, another candidate of this read-out, in whichever group;
    - ``shared token``: candidates of two groups are the same token.

    Args:
        tokenizer: The model's tokenizer.
        readouts: Read-outs that all name the same groups.
        cases: Case variants to add to each candidate; see `word_tokens`.

    Returns:
        The kept read-outs' tokens and the counts of the dropped ones.

    Raises:
        SemanticHubError: No read-outs, groups that differ between read-outs, or not one
            read-out left.
    """
    groups = _groups(readouts)
    lookup = cache(lambda word: word_tokens(tokenizer, word, cases=cases))
    words = [[[lookup(word) for word in r.candidates[group]] for group in groups] for r in readouts]
    problems = [_problem(candidates) for candidates in words]
    dropped = {reason: problems.count(reason) for reason in REASONS}
    kept = tuple(index for index, problem in enumerate(problems) if problem is None)
    if not kept:
        raise _nothing_left(dropped)
    return CandidateTokens(
        groups,
        kept,
        tuple(tuple(_tokens(group) for group in words[index]) for index in kept),
        tuple(
            tuple(any(not word.whole for word in group) for group in words[index]) for index in kept
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


def _problem(groups: Sequence[Sequence[WordTokens]]) -> str | None:
    if not all(groups):
        return UNUSABLE
    words = {word.word: word for group in groups for word in group}.values()
    problems = [word.problem for word in words if word.problem]
    if problems:
        return problems[0]
    owners = Counter(token for word in words for token in word.tokens)
    if any(owners[token] > 1 for word in words if not word.whole for token in word.tokens):
        return AMBIGUOUS
    users = Counter(token for group in groups for token in set(_tokens(group)))
    return SHARED if any(count > 1 for count in users.values()) else None


def _tokens(group: Sequence[WordTokens]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(token for word in group for token in word.tokens))


def _nothing_left(dropped: Mapping[str, int]) -> SemanticHubError:
    counts = ", ".join(f"{reason}: {count}" for reason, count in dropped.items() if count)
    return SemanticHubError(
        "candidates",
        got=f"no read-out that can be scored, {sum(dropped.values())} dropped ({counts})",
        expected="at least one read-out where each word has a usable token of its own",
        fix="Choose words that this tokenizer knows as one token, or that begin differently.",
    )
