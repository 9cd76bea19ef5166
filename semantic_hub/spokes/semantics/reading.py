"""Read-outs before proper names: is *agent* likely where the name will be the agent?

A read-out is at the token before a name; its prompt is the sentence up to there, without a trailing
space. A name at the start of a sentence has none. The role is that of the name in the logical form.
 Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import HUB, NEXT, SURFACE, Prompt, Readout
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.cogs import Example, distinct_roles

AT_START = "name at the start"
REPEATED = "name occurs twice"
SEVERAL_ROLES = "name with several roles"
NAME_REASONS = (AT_START, REPEATED, SEVERAL_ROLES)
"""Reasons why a name has no read-out; the lens counts those that the tokenizer drops."""


@dataclass(frozen=True)
class BeforeName:
    """Position before a proper name.

    Args:
        before: Sentence up to the name, without the space.
        after: Rest of the sentence, which begins with a space and the name.
        name: The name.
        role: Its role.
    """

    before: str
    after: str
    name: str
    role: str

    def readout(self, candidates: Mapping[str, tuple[str, ...]]) -> Readout:
        """Make a read-out at this position; the lens drops it unless the name is one token."""
        return Readout(Prompt(self.before), candidates, self.after, f" {self.name}")


@dataclass(frozen=True)
class NameReadouts:
    """Read-outs before names, with the role of each name.

    Args:
        readouts: For `semantic_hub.logit_lens`.
        roles: Role of the name after each read-out.
        dropped: Number of names without a read-out, for each of `NAME_REASONS`.
    """

    readouts: tuple[Readout, ...]
    roles: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.readouts)

    def evenly_spaced(self, at_most: int) -> "NameReadouts":
        """Keep at most `at_most` read-outs, spread evenly over all.

        Raises:
            SemanticHubError: `at_most` below 1.
        """
        rows = evenly_spaced(range(len(self)), at_most)
        kept, roles = [self.readouts[row] for row in rows], [self.roles[row] for row in rows]
        return NameReadouts(tuple(kept), tuple(roles), self.dropped)


def readouts(examples: Sequence[Example]) -> NameReadouts:
    """Make read-outs before names: the name (``surface``), its role (``hub``) and other roles.

    ``surface`` is the name itself, the actual next token; ``hub`` the word for its role;
    ``control`` the word for the next of all roles, cyclically; and ``unrelated`` the one after it
    if there are three roles (``unrelated 2`` and so on if there are more). All role words are
    scored at every name, so a general preference for one of them does not count as meaning.

    Args:
        examples: Sentences with names; shuffle the names (`shuffled_names`) unless they cannot
            reveal a role.

    Raises:
        SemanticHubError: Names with fewer than two roles in all.

    Example:
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> form = "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )"
        >>> [found] = readouts([Example("Anna saw Bo .", LogicalForm.parse(form))]).readouts
        >>> found.prompt.text, found.following, found.candidates["hub"]
        ('Anna saw', ' Bo .', ('theme',))
    """
    roles = _several_roles(examples)
    return _name_readouts(examples, lambda position: _candidates(position.role, roles))


def role_readouts(examples: Sequence[Example]) -> NameReadouts:
    """Make read-outs with one group for each role, which holds the role's word.

    Args:
        examples: Sentences with names.

    Raises:
        SemanticHubError: Names with fewer than two roles in all.

    Example:
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> form = "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )"
        >>> found = role_readouts([Example("Anna saw Bo .", LogicalForm.parse(form))])
        >>> found.roles, found.readouts[0].candidates, found.dropped["name at the start"]
        (('theme',), {'agent': ('agent',), 'theme': ('theme',)}, 1)
    """
    candidates = {role: (role,) for role in _several_roles(examples)}
    return _name_readouts(examples, lambda position: candidates)


def _name_readouts(
    examples: Sequence[Example],
    candidates: Callable[[BeforeName], Mapping[str, tuple[str, ...]]],
) -> NameReadouts:
    """Read-outs before all names that have one, with given candidates."""
    positions = [position for example in examples for position in _positions(example)]
    kept = [position for position in positions if isinstance(position, BeforeName)]
    return NameReadouts(
        tuple(position.readout(candidates(position)) for position in kept),
        tuple(position.role for position in kept),
        {reason: positions.count(reason) for reason in NAME_REASONS},
    )


def _positions(example: Example) -> Iterator[BeforeName | str]:
    """Position before each name, or the reason why it has none."""
    for name in example.names:
        places, roles = example.places(name), example.roles(name)
        before = example.sentence[: places[0]].rstrip()
        if len(places) > 1:
            yield REPEATED
        elif not before:
            yield AT_START
        elif len(roles) != 1:
            yield SEVERAL_ROLES
        else:
            yield BeforeName(before, example.sentence[len(before) :], name, roles[0])


def _candidates(role: str, roles: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Candidates at a name of a role: the next token, and the words of all roles."""
    start = roles.index(role)
    more = (f"unrelated {number}" for number in range(2, len(roles)))
    groups = (HUB, "control", "unrelated", *more)
    circle = (*roles[start:], *roles[:start])
    words = zip(groups, circle, strict=False)
    return {SURFACE: (NEXT,), **{group: (word,) for group, word in words}}


def _several_roles(examples: Sequence[Example]) -> tuple[str, ...]:
    """Roles of the names, or an error if there are fewer than two."""
    roles = distinct_roles(examples)
    if len(roles) < 2:
        raise SemanticHubError(
            "semantics.readouts",
            got=f"names with {len(roles)} roles ({', '.join(roles)})",
            expected="at least two, to distinguish them",
            fix="Give sentences in which names have other roles too.",
        )
    return roles
