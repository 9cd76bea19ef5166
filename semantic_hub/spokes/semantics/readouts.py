"""Read-outs before proper names: does the model think *agent* where a name will be the agent?

A read-out stands at the token before a name, with the sentence up to there as its prompt and no
space behind it. The first name of a sentence that begins with it has none. The role is the name's
own in the logical form. Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import NEXT, Prompt, Readout
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.cogs import Example, distinct_roles

AT_START = "name at the start"
REPEATED = "name occurs twice"
SEVERAL_ROLES = "name with several roles"
NAME_REASONS = (AT_START, REPEATED, SEVERAL_ROLES)
"""Why a name has no read-out, whatever the tokenizer; what that drops, the lens counts."""


@dataclass(frozen=True)
class BeforeName:
    """A place before a proper name.

    Args:
        before: The sentence up to the name, without the space.
        after: The rest, which begins with a space and the name.
        name: The name.
        role: Its role.
    """

    before: str
    after: str
    name: str
    role: str

    def readout(self, candidates: Mapping[str, tuple[str, ...]]) -> Readout:
        """A read-out here, dropped by the lens unless the name is one token."""
        return Readout(Prompt(self.before), candidates, self.after, f" {self.name}")


@dataclass(frozen=True)
class NameReadouts:
    """Read-outs before names, and what each name is.

    Args:
        readouts: For `semantic_hub.logit_lens`.
        roles: The role of the name that each read-out stands before.
        dropped: Number of names without a read-out, for each of `NAME_REASONS`.
    """

    readouts: tuple[Readout, ...]
    roles: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.readouts)

    def evenly_spaced(self, at_most: int) -> "NameReadouts":
        """As many as wanted, or all if they are fewer, spread over the whole.

        Raises:
            SemanticHubError: `at_most` below 1.
        """
        rows = evenly_spaced(range(len(self)), at_most)
        kept, roles = [self.readouts[row] for row in rows], [self.roles[row] for row in rows]
        return NameReadouts(tuple(kept), tuple(roles), self.dropped)


def readouts(examples: Sequence[Example]) -> NameReadouts:
    """Read-outs whose groups are those of all spokes.

    ``surface`` is the name itself, the token that really follows; ``hub`` the name of its role;
    ``control`` that of the next role in a circle of all roles, and ``unrelated`` that of the role
    after it where there are three (``unrelated 2`` and so on where there are more). All role names
    are scored at every name, so a taste for one of them alone does not count as meaning.

    Args:
        examples: Where the names are, with names shuffled (`shuffled_names`) unless they cannot
            give a role away.

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
    return _made(examples, lambda place: _against_surface(place.role, roles))


def role_readouts(examples: Sequence[Example]) -> NameReadouts:
    """Read-outs with one group for each role, whose word is its name: for `role_matrix`.

    Args:
        examples: Where the names are.

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
    return _made(examples, lambda place: candidates)


def _made(
    examples: Sequence[Example],
    candidates: Callable[[BeforeName], Mapping[str, tuple[str, ...]]],
) -> NameReadouts:
    found = [place for example in examples for place in _places(example)]
    kept = [place for place in found if isinstance(place, BeforeName)]
    return NameReadouts(
        tuple(place.readout(candidates(place)) for place in kept),
        tuple(place.role for place in kept),
        {reason: found.count(reason) for reason in NAME_REASONS},
    )


def _places(example: Example) -> Iterator[BeforeName | str]:
    """For each name the place before it, or why it has none."""
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


def _against_surface(role: str, roles: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    start = roles.index(role)
    more = (f"unrelated {number}" for number in range(2, len(roles)))
    groups = ("hub", "control", "unrelated", *more)
    circle = (*roles[start:], *roles[:start])
    words = zip(groups, circle, strict=False)
    return {"surface": (NEXT,), **{group: (word,) for group, word in words}}


def _several_roles(examples: Sequence[Example]) -> tuple[str, ...]:
    roles = distinct_roles(examples)
    if len(roles) < 2:
        raise SemanticHubError(
            "semantics.readouts",
            got=f"names with {len(roles)} roles ({', '.join(roles)})",
            expected="at least two, to tell them apart",
            fix="Give sentences in which names have other roles too.",
        )
    return roles
