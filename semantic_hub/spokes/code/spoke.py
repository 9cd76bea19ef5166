"""`CodeSpoke`: named sets of everything that the code data offer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Steering
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import HUB, NEXT, SURFACE, Prompt, Readout
from semantic_hub.spokes.code.files import (
    standard_library_functions,
)
from semantic_hub.spokes.code.interventions import range_places, steering
from semantic_hub.spokes.code.places import arguments, list_commas
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.sampling import Item, evenly_spaced

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PAIRS = "program, description"
_LIST, _CALL = "list, behind a comma", "call, before an argument"


def pairs(programs: Sequence[Program], *, at_most: int = 500) -> Pairs:
    """Pair programs with their descriptions, keeping the first program of each description.

    Args:
        programs: Programs; those with a text are used.
        at_most: Pairs to keep, evenly spaced.

    Raises:
        SemanticHubError: No program with a text.

    Example:
        >>> paired = pairs([Program("print(1 + 2)", "Print a sum."), Program("pass")])
        >>> len(paired), paired.x[0].text, paired.y[0].text
        (1, 'print(1 + 2)', 'Print a sum.')
    """
    return _paired(_described(programs, at_most))


def hard_negatives(programs: Sequence[Program], *, at_most: int = 500) -> Pairs:
    """Pair programs with the description of the next program of the same source.

    A program that is alone in its source gets the next program of all.

    Args:
        programs: Programs; those with a text are used.
        at_most: As in `pairs`.

    Raises:
        SemanticHubError: Fewer than two programs with different texts.

    Example:
        >>> hard_negatives([Program("print(1)", "Say one.", source="a"),
        ...     Program("pass", "Rest.", source="b"), Program("1", "One.", source="a")]).y[0].text
        'One.'
    """
    described = _described(programs, at_most)
    if len(described) < 2:
        raise SemanticHubError(
            "code.hard_negatives",
            got="1 program with its own text",
            expected="at least 2",
            fix="Pass more programs.",
        )
    others = [Prompt(described[index].text) for index in _neighbors(described)]
    return replace(_paired(described), y=tuple(others))


def list_readouts(programs: Sequence[Program], *, at_most: int = 500) -> list[Readout]:
    """Make read-outs after each comma between the elements of a list.

    The groups are ``surface`` (the actual next token), ``hub`` (*and*), ``control``
    (*or*) and ``unrelated`` (*not*).

    Args:
        programs: Programs to search for lists.
        at_most: Read-outs to keep, evenly spaced.

    Returns:
        The read-outs; none if no program has a list of two elements.

    Example:
        >>> [readout] = list_readouts([Program("pets = ['dog', 'cat']")])
        >>> readout.prompt.text, readout.following, readout.candidates["hub"]
        ("pets = ['dog',", " 'cat']", ('and',))
    """
    groups = {SURFACE: (NEXT,), HUB: ("and",), "control": ("or",), "unrelated": ("not",)}
    places = [(program, place) for program in programs for place in list_commas(program)]
    return [_readout(*place, groups) for place in _kept(places, at_most)]


def argument_readouts(programs: Sequence[Program], *, at_most: int = 500) -> list[Readout]:
    """Make read-outs before each argument whose parameter is known.

    The groups are ``surface`` (the actual next token: the argument's first, with a space before it
    if the tokenizer joins them), ``hub`` (the parameter's name) and ``control`` (the next other
    parameter name in the data). See `semantic_hub.spokes.code.places` for known parameters.

    Args:
        programs: Programs to search for calls.
        at_most: Read-outs to keep, evenly spaced.

    Returns:
        The read-outs; none if fewer than two names are known.

    Example:
        >>> code = "def sees(person, animal): pass\\nsees('Anna', 'dog')"
        >>> for readout in argument_readouts([Program(code)]):
        ...     print(readout.prompt.text.splitlines()[-1], readout.candidates["hub"])
        sees( ('person',)
        sees('Anna', ('animal',)
    """
    known = [(program, a) for program in programs for a in arguments(program) if a.problem is None]
    kept = _kept(known, at_most)
    names = [argument.parameter for _, argument in kept]
    if len(set(names)) < 2:
        return []
    return [
        _readout(
            program,
            argument.place,
            {
                SURFACE: (NEXT,),
                HUB: (argument.parameter,),
                "control": (_another(names, index),),
            },
        )
        for index, (program, argument) in enumerate(kept)
    ]


@dataclass(frozen=True)
class CodeSpoke(Spoke):
    """Code spoke: programs against their descriptions.

    Args:
        programs: Programs, each of which must fit into the model's context; None for 500 functions
            of the standard library, and for lists all of its functions.
        at_most: Pairs, read-outs and prompts in each set, evenly spaced.
        name: Name of the spoke in results.

    Raises:
        SemanticHubError: No programs.

    Example:
        >>> spoke = CodeSpoke([Program("print([1, 2])", "Print one and two.")])
        >>> list(spoke.pairs()), list(spoke.readouts())
        (['program, description'], ['list, behind a comma'])
    """

    programs: Sequence[Program] | None = None
    at_most: int = 500
    name: str = "code"

    def __post_init__(self) -> None:
        if self.programs is not None and not self.programs:
            raise SemanticHubError(
                "CodeSpoke", got="no programs", expected="at least one", fix="Leave them out."
            )

    def pairs(self) -> Mapping[str, Pairs]:
        """Programs against their descriptions, if there are any."""
        return {_PAIRS: pairs(self._programs, at_most=self.at_most)} if self._texts else {}

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Programs against the description of another program of the same source."""
        if len(self._texts) < 2:
            return {}
        return {_PAIRS: hard_negatives(self._programs, at_most=self.at_most)}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs after commas in lists, and before the arguments of calls."""
        made = {
            _LIST: list_readouts(self._lists, at_most=self.at_most),
            _CALL: argument_readouts(self._programs, at_most=self.at_most),
        }
        return {name: readouts for name, readouts in made.items() if readouts}

    def interventions(self) -> Mapping[str, Steering]:
        """Steering at ``range(``, if a program calls it with one argument."""
        counting = [program for program in self._programs if any(range_places(program))]
        return {"range(": steering(counting, at_most=self.at_most)} if counting else {}

    def figures(self, findings: Findings) -> Mapping[str, "go.Figure"]:
        """Heat maps of read-outs by layer, comparing the left-out word with the next token."""
        from semantic_hub.lenses.figures import item_map

        titles = {
            _LIST: "Behind a comma: and (blue), or what comes next",
            _CALL: "Before an argument: its parameter (blue), or itself",
        }
        return {
            title: item_map(findings.lens[name])
            for name, title in titles.items()
            if name in findings.lens
        }

    @cached_property
    def _programs(self) -> Sequence[Program]:
        """The programs, by default from the standard library."""
        return standard_library_functions(500) if self.programs is None else self.programs

    @property
    def _lists(self) -> Sequence[Program]:
        """Programs to search for lists: few functions have one, so all of the library's."""
        return standard_library_functions() if self.programs is None else self.programs

    @property
    def _texts(self) -> set[str]:
        """Distinct descriptions."""
        return {program.text for program in self._programs if program.text}


def _described(programs: Sequence[Program], at_most: int) -> tuple[Program, ...]:
    """Programs with distinct descriptions, evenly spaced."""
    by_text = {program.text: program for program in reversed(programs) if program.text}
    if not by_text:
        raise SemanticHubError(
            "code.pairs",
            got=f"{len(programs)} programs, none with a text",
            expected="at least one that says what it does",
            fix="Give programs their text.",
        )
    return evenly_spaced(list(by_text.values())[::-1], at_most)


def _paired(programs: Sequence[Program]) -> Pairs:
    """Programs and descriptions as pairs."""
    return Pairs.from_prompts(
        [program.code for program in programs],
        [program.text for program in programs],
        x_name="program",
        y_name="description",
        labels=[program.name for program in programs] if all(p.name for p in programs) else (),
    )


def _neighbors(programs: Sequence[Program]) -> Iterator[int]:
    """Index of the next program of the same source, cyclically; of all if it has no other."""
    by_source: dict[str, list[int]] = {}
    for index, program in enumerate(programs):
        by_source.setdefault(program.source, []).append(index)
    for index, program in enumerate(programs):
        group = by_source[program.source]
        if len(group) == 1:
            yield (index + 1) % len(programs)
        else:
            yield group[(group.index(index) + 1) % len(group)]


def _kept(items: Sequence[Item], at_most: int) -> tuple[Item, ...]:
    """Evenly spaced items, none if there are none."""
    return evenly_spaced(items, at_most) if items else ()


def _readout(program: Program, place: int, groups: Mapping[str, tuple[str, ...]]) -> Readout:
    """Read-out at a place of a program."""
    return Readout(Prompt(program.code[:place]), groups, program.code[place:])


def _another(names: Sequence[str], index: int) -> str:
    """Next other name, cyclically."""
    following = (names[(index + step) % len(names)] for step in range(1, len(names)))
    return next(name for name in following if name != names[index])
