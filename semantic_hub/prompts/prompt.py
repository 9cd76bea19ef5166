"""Prompts, read-outs, and how they become tokens.

**Tokens.** Text goes through the model's own ``to_tokens``, so a BOS token is added exactly when
``model.cfg.default_prepend_bos`` says so, and never twice: text that already starts with the BOS
token's string keeps that one. Tokens given as ids are used as they are.

**Own tokens.** Positions are counted among the prompt's *own* tokens: those of the text, without
the BOS, ``[CLS]`` or ``[SEP]`` that the tokenizer puts around it. All given ids are own tokens.
A chat's own tokens are all that the template writes but a BOS in front.
Where a text is split differently after a BOS, all but the special tokens at both ends are own.

**Features.** A prompt may hold spans of soft tokens; their positions are own ones too, and the ids
there are placeholders (see `semantic_hub.prompts.soft_tokens` and
`semantic_hub.activations.features`).
"""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import index
from pathlib import Path
from typing import Any
from unicodedata import normalize
from warnings import warn

from semantic_hub.errors import (
    SemanticHubError,
    SemanticHubWarning,
    as_list,
    check_kinds,
    check_names,
    check_text,
    is_whole,
    items_of,
    set_tuples,
)
from semantic_hub.models.kept import KeptForModel
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.soft_tokens import (
    SOFT,
    SOFT_TOKEN,
    PlacedSoftTokens,
    SoftPositions,
    SoftTokens,
    marked_tokens,
    placeholder_id,
    text_with_markers,
    with_markers,
    with_placeholders,
)


@dataclass(frozen=True)
class Prompt:
    """One model input: text, token ids or a chat, and the position to read.

    Args:
        text: Text for the model's own tokenizer, with a `SOFT` for each span of features.
        tokens: Token ids instead of text, used as they are (no BOS is added), with a `SOFT_TOKEN`
            for each span. An array or tensor of them becomes a tuple of int.
        position: Where to read, counted among the prompt's own tokens, from the end if negative;
            or one of the positions of its features. ``None`` leaves it to the caller, which reads
            the last one.
        soft: Spans of features, one for each marker.
        messages: Role and content of each message of a chat, instead of text; see `Prompt.chat`.

    Raises:
        SemanticHubError: If not exactly one of ``text``, ``tokens`` and ``messages`` is given, it
            is empty, tokens or position are no whole numbers, it has not one marker for each span,
            a message is no text, or the text cannot be written as UTF-8.

    Example:
        >>> Prompt("The dog barks.", position=-2).position
        -2
        >>> import torch
        >>> len(Prompt(f"{SOFT} colour:", soft=(SoftTokens(torch.zeros(16, 64)),)).soft)
        1
    """

    text: str | None = None
    tokens: tuple[int, ...] | None = None
    position: int | SoftPositions | None = None
    soft: tuple[SoftTokens, ...] = ()
    messages: tuple[tuple[str, str], ...] | None = None
    __repr__ = short_repr

    @classmethod
    def chat(
        cls,
        messages: str | Sequence[Mapping[str, str]],
        *,
        position: int | SoftPositions | None = None,
        soft: Sequence[SoftTokens] = (),
    ) -> "Prompt":
        """Make a prompt of a chat, which each model's own chat template turns into tokens.

        After a message of another role the template opens the assistant's answer, so that the next
        token is its first; a last message of the assistant is left open, to be continued.

        Args:
            messages: ``{"role": ..., "content": ...}`` of each message, as transformers takes them;
                a text is one message of the user.
            position: As for a `Prompt`, counted among all tokens that the template writes.
            soft: As for a `Prompt`.

        Raises:
            SemanticHubError: No messages, or one without a role or content of text.

        Example:
            >>> Prompt.chat("What is the capital of France?").messages
            (('user', 'What is the capital of France?'),)
        """
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        told = tuple((message.get("role"), message.get("content")) for message in messages)
        return cls(position=position, soft=tuple(soft), messages=told)  # type: ignore[arg-type]

    def shown(self) -> str:
        """The text, the messages with their roles, or the token ids as text."""
        if self.messages is not None:
            return " ".join(f"{role}: {content}" for role, content in self.messages)
        return " ".join(map(str, self.tokens or ())) if self.text is None else self.text

    def __post_init__(self) -> None:
        check_kinds(
            "Prompt",
            text=(self.text, (str, None)),
            position=(self.position, (int, SoftPositions, None)),
        )
        set_tuples(self, soft=SoftTokens)
        if self.tokens is not None:
            set_tuples(self, tokens=int)
        if not isinstance(self.position, SoftPositions | None):
            object.__setattr__(self, "position", index(self.position))
        contents = {"text": self.text, "tokens": self.tokens, "messages": self.messages}
        given = [name for name, content in contents.items() if content is not None]
        if len(given) != 1:
            raise SemanticHubError(
                "Prompt",
                got=f"both {' and '.join(given)}" if given else "neither text nor tokens",
                expected="exactly one of them",
                fix="Pass text, or token ids, or the messages of a chat.",
            )
        parts = [part for message in self.messages or () for part in message]
        if not all(isinstance(part, str) and part for part in parts):
            raise SemanticHubError(
                "Prompt",
                got=f"the messages {self.messages}",
                expected='a role and content of text in each: {"role": "user", "content": "Hello"}',
                fix="Pass them as transformers' chat templates take them.",
            )
        if not (self.text or self.tokens or self.messages):
            raise SemanticHubError(
                "Prompt",
                got="an empty prompt",
                expected="at least one token",
                fix="Leave the prompt out, or give it content.",
            )
        text = self.text or "\n".join(parts)
        check_text("Prompt", "a text", text)
        markers = text.count(SOFT) + (self.tokens or ()).count(SOFT_TOKEN)
        if markers != len(self.soft):
            raise SemanticHubError(
                "Prompt",
                got=f"{markers} markers and {len(self.soft)} spans of features",
                expected="one marker for each span",
                fix=f"Write {SOFT!r} in the text, or {SOFT_TOKEN} among token ids, for each span.",
            )


NEXT = "\0"
"""Candidate of a `Readout` that stands for the token that actually follows in its text."""


HUB = "hub"
"""Group of candidates in the hub's terms, such as the dominant language's word."""

SURFACE = "surface"
"""Group of candidates in the prompt's own terms, such as the word in the text's language."""


@dataclass(frozen=True)
class Readout:
    """A prompt, and named groups of candidate words to score at its position.

    Args:
        prompt: The input; its ``position`` is where the next word is read.
        candidates: Group name to words; `NEXT` stands for the token that actually follows.
        following: The text after the prompt, if it was cut from a longer one. The read-out then
            counts only if the tokens of the prompt are the first tokens of the whole text; see
            `semantic_hub.prompts.words.following_tokens`.
        next_word: What `following` begins with and must be exactly one token, such as ``" Emma"``;
            empty if any token may come next.

    Raises:
        SemanticHubError: A bare text for a group of words; `following` after a prompt of token ids
            or with a position of its own; `NEXT` without `following`, or a `next_word` that it
            does not begin with.

    Example:
        >>> Readout(Prompt("el perro es un"), {"surface": ("animal",), "hub": ("pet", "beast")}
        ...        ).candidates["hub"]
        ('pet', 'beast')
        >>> Readout(Prompt("[1,"), {"surface": (NEXT,), "hub": ("and",)}, " 2]").following
        ' 2]'
    """

    prompt: Prompt
    candidates: Mapping[str, tuple[str, ...]]
    following: str = ""
    next_word: str = ""
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_kinds(
            "Readout",
            prompt=(self.prompt, Prompt),
            following=(self.following, str),
            next_word=(self.next_word, str),
        )
        check_word_groups("Readout", "candidates", self.candidates)
        check_text("Readout", "the following text", self.following)
        needs_text = any(NEXT in words for words in self.candidates.values())
        if not self.following.startswith(self.next_word) or (needs_text and not self.following):
            raise SemanticHubError(
                "Readout",
                got=f"next word {self.next_word!r} of the text {self.following[:20]!r}",
                expected="the text that follows the prompt, which begins with the next word",
                fix="Pass following, or leave NEXT out of the candidates.",
            )
        if self.following and (self.prompt.text is None or self.prompt.position not in (None, -1)):
            raise SemanticHubError(
                "Readout",
                got="a text that follows token ids or a chat, or a prompt with a position",
                expected="a prompt of text that is read at its end",
                fix="Cut the text where it is read.",
            )


def check_word_groups(operation: str, name: str, groups: Mapping[str, tuple[str, ...]]) -> None:
    """Raise unless an argument is a mapping from sound names to groups of words, not to bare texts.

    Args:
        operation: The user's call, for the error.
        name: The argument's name.
        groups: The argument.

    Raises:
        SemanticHubError: Otherwise.
    """
    check_kinds(operation, **{name: (groups, Mapping)})
    check_names(operation, "group", groups)
    bare = [name for name, words in groups.items() if isinstance(words, str)]
    if bare:
        raise SemanticHubError(
            operation,
            got=f"the text {groups[bare[0]]!r} as group {bare[0]!r}",
            expected="a tuple of words",
            fix=f"Write ({groups[bare[0]]!r},).",
        )
    for group, words in groups.items():
        check_text(operation, f"the group {group!r}", "".join(as_list(operation, name, words, str)))


kept_encodings: KeptForModel[Prompt, "Encoding"] = KeptForModel()
"""Tokens of each prompt, while kept; the tokenizer must not be changed meanwhile."""

_warned: "weakref.WeakSet[Any]" = weakref.WeakSet()
"""Tokenizers with a chat template that was not used, once that was warned of."""

PromptLike = str | Prompt | Sequence[int]
"""Text, a :class:`Prompt`, or token ids."""

Prompts = PromptLike | Sequence[PromptLike]
"""Prompts in order; a single one counts as a list of one."""


@dataclass(frozen=True)
class Encoding:
    """Tokens of one prompt, and which of them are its own rather than BOS and the like.

    Args:
        tokens: All tokens that the model reads; placeholders where there are features.
        own: The prompt's own tokens; the tokenizer added the others.
        soft: Its spans of features, and where they start.
    """

    tokens: tuple[int, ...]
    own: slice
    soft: tuple[PlacedSoftTokens, ...] = ()
    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def own_positions(self) -> range:
        """Indices among ``tokens`` of all but those that the tokenizer added, such as BOS."""
        return range(*self.own.indices(len(self.tokens)))

    @property
    def spans(self) -> tuple[range, ...]:
        """Indices of each span of features among ``tokens``."""
        return tuple(place.positions for place in self.soft)

    def first(self, n_tokens: int) -> Prompt:
        """Make a prompt of the first `n_tokens` tokens, BOS and features included."""
        tokens, soft = with_markers(self.tokens[:n_tokens], self.soft)
        return Prompt(tokens=tokens, soft=soft)

    def text(
        self, decode: Callable[[Sequence[int]], str], start: int = 0, stop: int | None = None
    ) -> str:
        """Decode a range of the tokens to text, with one `SOFT` marker for each span of features.

        Args:
            decode: Token ids to text.
            start: Index of the first token; it must not be inside a span.
            stop: Index after the last token; None for the end.
        """
        soft = [replace(place, start=place.start - start) for place in self.soft]
        return text_with_markers(decode, self.tokens[start:stop], soft)


def as_prompt(prompt: PromptLike, operation: str = "as_prompt", name: str = "prompt") -> Prompt:
    """Convert text or token ids to a `Prompt`; a `Prompt` is returned as it is.

    Args:
        prompt: One of these.
        operation: The user's call, for the error.
        name: The argument's name, for the error.

    Raises:
        SemanticHubError: If it is none of these, or empty.

    Example:
        >>> as_prompt([1, 2, 3]).tokens
        (1, 2, 3)
    """
    if isinstance(prompt, Prompt):
        return prompt
    if isinstance(prompt, str):
        return Prompt(text=prompt)
    ids = _ids(prompt)
    if ids is None:
        raise SemanticHubError(
            operation,
            got=f"{name}: {prompt!r} ({type(prompt).__name__})",
            expected="text, a Prompt, or token ids",
            fix="Pass these, one entry per prompt.",
        )
    return Prompt(tokens=ids)


def as_prompts(
    operation: str, name: str, prompts: PromptLike | Iterable[PromptLike]
) -> list[Prompt]:
    """Convert an argument to a list of `Prompt`; a single text, `Prompt` or list of ids to one.

    Args:
        operation: The user's call, for the error.
        name: The argument's name, for the error.
        prompts: One prompt, or several in order.

    Raises:
        SemanticHubError: No prompts, something that is no prompt, or an empty one.

    Example:
        >>> as_prompts("top_tokens", "prompts", "The dog barks.")
        [Prompt(text='The dog barks.')]
        >>> len(as_prompts("top_tokens", "prompts", [[1, 2], [3]]))
        2
    """
    one = isinstance(prompts, str | Prompt) or _ids(prompts)
    items: list[PromptLike] = [prompts] if one else items_of(prompts)  # type: ignore[list-item]
    if not items:
        raise SemanticHubError(
            operation,
            got=f"no {name}",
            expected="at least one prompt",
            fix="Pass a list of prompts, such as ['The dog barks.'].",
        )
    return [as_prompt(item, operation, name) for item in items]


def tokenize(model: HookedModel, prompts: Prompts) -> list[list[int]]:
    """Convert prompts to token ids, with a BOS token where the model's configuration says so.

    Where a prompt holds features the ids are placeholders;
    `semantic_hub.activations.features.injecting_features` makes the model read the features.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        prompts: Text, :class:`Prompt` objects or token ids.

    Returns:
        One list of ids per prompt, not padded.

    Raises:
        SemanticHubError: As :func:`encode`.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> tokenize(model, [[5, 6, 7]])
        [[5, 6, 7]]
    """
    return [list(encoding.tokens) for encoding in encode(model, prompts)]


def encode(model: HookedModel, prompts: Prompts) -> list[Encoding]:
    """Tokenize prompts, and mark which tokens are their own and which the tokenizer added.

    Args:
        model: The model whose tokenizer and BOS convention apply.
        prompts: Text, :class:`Prompt` objects or token ids.

    Returns:
        One :class:`Encoding` per prompt.

    Raises:
        SemanticHubError: No prompts; text, but no tokenizer; a prompt without tokens, longer than
            the model's context, with an id outside its vocabulary, or with features of another
            width than the model's stream.
    """
    converted = as_prompts("tokenize", "prompts", prompts)
    if model.tokenizer is None and any(prompt.tokens is None for prompt in converted):
        raise SemanticHubError(
            "tokenize",
            got="text, and a model without a tokenizer",
            expected="token ids",
            fix="Pass token ids, or set model.tokenizer.",
        )
    _warn_of_decomposed(converted)
    if any(prompt.text is not None for prompt in converted):
        _warn_of_template(model)
    known = kept_encodings.of(model)
    for number, prompt in enumerate(converted):
        if prompt not in known:
            encoding = _encode_one(model, prompt)
            _check_encoding(model, number, encoding)
            known[prompt] = encoding
    return [known[prompt] for prompt in converted]


def read_tokens(model: HookedModel, text: str) -> tuple[int, ...]:
    """Tokenize a text, with a BOS token as the model has it, but no EOS or ``[SEP]`` at the end.

    Each marker in the text becomes one `SOFT_TOKEN`; there is no limit on the length.

    Example:
        >>> read_tokens(model, "the dog") == read_tokens(model, "the dog cat")[:-1]
        True
    """
    tokens, own = _encode_text(model, text)
    return tuple(tokens[: own.stop])


def special_token_ids(model: HookedModel) -> frozenset[int]:
    """Ids of BOS, EOS, padding, ``[CLS]`` and the like; empty without a tokenizer.

    The token for unknown words stands for a word, and is not among them. TransformerLens names
    tokens that a vocabulary lacks (``<|endoftext|>`` in BERT's); those are left out too.
    """
    tokenizer = model.tokenizer
    if tokenizer is None:
        return frozenset()
    roles = dict(tokenizer.special_tokens_map)
    unknown = roles.pop("unk_token", None)
    names = set(tokenizer.all_special_tokens) - ({unknown} - set(map(str, roles.values())))
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in names}
    return frozenset(i for name, i in ids.items() if tokenizer.convert_ids_to_tokens(i) == name)


def _ids(prompt: object) -> tuple[int, ...] | None:
    """Token ids as a tuple of int, those of an array or tensor included; None for anything else."""
    ids = items_of(prompt)
    if (ids and ids[0] is prompt) or not all(map(is_whole, ids)):
        return None
    return tuple(index(token) for token in ids)


def _warn_of_decomposed(prompts: Sequence[Prompt]) -> None:
    """Warn of texts whose letters and accents are separate characters: other tokens than usual."""
    texts = [prompt.text or "" for prompt in prompts]
    decomposed = [i for i, text in enumerate(texts) if len(normalize("NFC", text)) < len(text)]
    if decomposed:
        warn(
            f"{len(decomposed)} of {len(texts)} prompts hold decomposed Unicode (prompt "
            f"{decomposed[0]}): letters and accents are separate characters, which models read as "
            'other tokens. unicodedata.normalize("NFC", text) joins them.',
            SemanticHubWarning,
            stacklevel=4,
        )


def _warn_of_template(model: HookedModel) -> None:
    """Warn, once for a model and its twins, of text that an instruct model reads as it stands."""
    tokenizer = model.tokenizer
    if getattr(tokenizer, "chat_template", None) and tokenizer not in _warned:
        _warned.add(tokenizer)
        warn(
            f"{Path(model.cfg.model_name).name} has a chat template, and reads text without it; "
            "Prompt.chat(messages) reads as in a chat.",
            SemanticHubWarning,
            stacklevel=4,
        )


def _encode_one(model: HookedModel, prompt: Prompt) -> Encoding:
    """Tokens of one prompt, features included."""
    if prompt.tokens is not None:
        tokens, own = list(prompt.tokens), slice(0, len(prompt.tokens))
    elif prompt.messages is not None:
        tokens, own = _encode_chat(model, prompt.messages)
    else:
        tokens, own = _encode_text(model, prompt.text or "")
    if not prompt.soft:
        return Encoding(tuple(tokens), own)
    return Encoding(*with_placeholders(tokens, own, prompt.soft, placeholder_id(model)))


def _encode_chat(
    model: HookedModel, messages: Sequence[tuple[str, str]]
) -> tuple[list[int], slice]:
    """Tokens of a chat as the tokenizer's template writes it, and which are its own."""
    told = [{"role": role, "content": content} for role, content in messages]
    answered = messages[-1][0] == "assistant"
    try:
        text = model.tokenizer.apply_chat_template(
            told,
            tokenize=False,
            add_generation_prompt=not answered,
            continue_final_message=answered,
        )
    except Exception as error:  # of Jinja, or ValueError without a template
        raise SemanticHubError(
            "Prompt.chat",
            got=f"a chat that {Path(model.cfg.model_name).name} has no template for ({error})",
            expected="a model with a chat template, and roles and an order that it knows",
            fix="Pass text, or messages that this model's template accepts.",
        ) from error
    tokens = marked_tokens(model.tokenizer, text)
    n_bos = sum(token in _bos_ids(model) for token in tokens[:1])
    return tokens, slice(n_bos, len(tokens))


def _encode_text(model: HookedModel, text: str) -> tuple[list[int], slice]:
    """Tokens of a text that may have markers, and which are its own; markers are `SOFT_TOKEN`.

    The part before the first marker is tokenized as any text, with a BOS where the model's
    convention says so. What the tokenizer adds around that part goes around the whole.
    """
    head, marker, tail = text.partition(SOFT)
    tokens, own = _encode_plain(model, head or tail.replace(SOFT, ""))
    if not marker:
        return tokens, own
    before, after = tokens[: own.start], tokens[own.stop :]
    inside = (tokens[own] if head else []) + marked_tokens(model.tokenizer, marker + tail)
    return before + inside + after, slice(len(before), len(before) + len(inside))


def _encode_plain(model: HookedModel, text: str) -> tuple[list[int], slice]:
    """Tokens of a text without markers, and which are its own (an empty slice if none is)."""
    tokens = model.to_tokens(text, truncate=False, move_to_device=False)[0].tolist()
    own = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    if own and tokens[0] == own[0] and tokens[0] in _bos_ids(model):  # the text's own BOS
        tokens, own = tokens[tokens[:1] == tokens[1:2] :], own[1:]
    if not own:
        n_bos = sum(token in _bos_ids(model) for token in tokens[:1])
        return tokens, slice(n_bos, n_bos)
    return tokens, _find(own, tokens) or _between_special(model, tokens)


def _bos_ids(model: HookedModel) -> set[int | None]:
    """Ids of BOS and ``[CLS]``."""
    return {model.tokenizer.bos_token_id, model.tokenizer.cls_token_id}


def _find(own: list[int], tokens: list[int]) -> slice | None:
    """The slice of ``tokens`` that equals ``own``; None if there is none."""
    for start in range(len(tokens) - len(own) + 1):
        if tokens[start : start + len(own)] == own:
            return slice(start, start + len(own))
    return None


def _between_special(model: HookedModel, tokens: list[int]) -> slice:
    """The slice of all tokens but the special ones at both ends."""
    special = special_token_ids(model)
    ordinary = [index for index, token in enumerate(tokens) if token not in special]
    return slice(ordinary[0], ordinary[-1] + 1) if ordinary else slice(0, 0)


def _check_encoding(model: HookedModel, index: int, encoding: Encoding) -> None:
    """Raise if the model cannot read a prompt's tokens or features."""
    if len(encoding.own_positions) == 0:
        raise SemanticHubError(
            "tokenize",
            got=f"prompt {index}, which has no tokens of its own",
            expected="at least one token",
            fix="Leave the prompt out, or give it content.",
        )
    if len(encoding) > model.cfg.n_ctx:
        raise SemanticHubError(
            "tokenize",
            got=f"prompt {index} of {len(encoding)} tokens",
            expected=f"at most {model.cfg.n_ctx}, the model's context",
            fix="Shorten the prompt.",
        )
    if not 0 <= min(encoding.tokens) <= max(encoding.tokens) < model.cfg.d_vocab:
        raise SemanticHubError(
            "tokenize",
            got=f"prompt {index} with ids {min(encoding.tokens)} to {max(encoding.tokens)}",
            expected=f"ids 0 to {model.cfg.d_vocab - 1}, the model's vocabulary",
            fix="Make the ids with this model's tokenizer.",
        )
    widths = {place.span.features.shape[1] for place in encoding.soft} - {model.cfg.d_model}
    if widths:
        raise SemanticHubError(
            "tokenize",
            got=f"prompt {index} with features of width {min(widths)}",
            expected=f"width {model.cfg.d_model}, the model's",
            fix="Project the features to the width of this model's stream.",
        )
