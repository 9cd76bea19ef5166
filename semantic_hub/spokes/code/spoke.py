"""The code spoke: programs against their descriptions, and what a program does not say in words.

Similarity pairs a program with a sentence that says what it does. The lens reads at two places
where a word could stand that Python does not write: behind a comma between the elements of a list
(``and``), and before an argument (the name of the parameter that it fills). At ``range(`` the model
is steered from *end* to *start*. Source: Wu et al. 2025, arXiv 2411.04986, section 4 (code).

The lens' ``surface`` is always the token that really comes next, by the tokens of the whole
program; where a token spans the place (``((``, ``',``), the read-out is dropped and counted.
"""

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
    programs_from_folder,
    programs_from_jsonl,
    standard_library_functions,
)
from semantic_hub.spokes.code.interventions import range_places, steering
from semantic_hub.spokes.code.places import Argument, arguments, list_commas
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.sampling import Item, evenly_spaced

__all__ = [
    "Argument",
    "CodeSpoke",
    "Program",
    "argument_readouts",
    "arguments",
    "hard_negatives",
    "list_readouts",
    "pairs",
    "programs_from_folder",
    "programs_from_jsonl",
    "standard_library_functions",
    "steering",
]

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PAIRS = "program, description"
_LIST, _CALL = "list, behind a comma", "call, before an argument"


def pairs(programs: Sequence[Program], *, at_most: int = 500) -> Pairs:
    """Programs against what they do; of those with the same description the first.

    Args:
        programs: Those with a text are taken.
        at_most: Pairs to keep, evenly spaced.

    Raises:
        SemanticHubError: No program with a text.

    Example:
        >>> found = pairs([Program("print(1 + 2)", "Print a sum."), Program("pass")])
        >>> len(found), found.x[0].text, found.y[0].text
        (1, 'print(1 + 2)', 'Print a sum.')
    """
    return _paired(_described(programs, at_most))


def hard_negatives(programs: Sequence[Program], *, at_most: int = 500) -> Pairs:
    """`pairs`, but y says what the next program of the same source does.

    A program that is alone in its source gets the next program of all.

    Args:
        programs: Those with a text are taken.
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
            got="1 program with a text of its own",
            expected="at least 2",
            fix="Pass more programs.",
        )
    others = [Prompt(described[place].text) for place in _neighbours(described)]
    return replace(_paired(described), y=tuple(others))


def list_readouts(programs: Sequence[Program], *, at_most: int = 500) -> list[Readout]:
    """Read-outs behind each comma between the elements of a list.

    The groups are ``surface`` (the token that really comes next), ``hub`` (*and*), ``control``
    (*or*) and ``unrelated`` (*not*).

    Args:
        programs: Where lists are looked for.
        at_most: Read-outs to keep, evenly spaced.

    Returns:
        None at all where no program has a list of two elements.

    Example:
        >>> [readout] = list_readouts([Program("pets = ['dog', 'cat']")])
        >>> readout.prompt.text, readout.following, readout.candidates["hub"]
        ("pets = ['dog',", " 'cat']", ('and',))
    """
    groups = {SURFACE: (NEXT,), HUB: ("and",), "control": ("or",), "unrelated": ("not",)}
    places = [(program, place) for program in programs for place in list_commas(program)]
    return [_readout(*place, groups) for place in _kept(places, at_most)]


def argument_readouts(programs: Sequence[Program], *, at_most: int = 500) -> list[Readout]:
    """Read-outs before each argument whose parameter is known; see `semantic_hub.spokes.code.places`.

    The groups are ``surface`` (the token that really comes next: the argument's first, with a space
    before it where the tokenizer joins them), ``hub`` (the parameter's name) and ``control`` (the
    name of the next parameter in the data that has another one).

    Args:
        programs: Where calls are looked for.
        at_most: Read-outs to keep, evenly spaced.

    Returns:
        None at all where fewer than two names are known.

    Example:
        >>> code = "def sees(person, animal): pass\\nsees('Anna', 'dog')"
        >>> for readout in argument_readouts([Program(code)]):
        ...     print(readout.prompt.text.splitlines()[-1], readout.candidates["hub"])
        sees( ('person',)
        sees('Anna', ('animal',)
    """
    found = [(program, a) for program in programs for a in arguments(program) if a.problem is None]
    kept = _kept(found, at_most)
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
    """Programs: for the similarity, the lens, and steering (a `semantic_hub.experiment.runner.Spoke`).

    Args:
        programs: Which; None for 500 functions of the standard library. Each must fit into the
            model's context.
        at_most: Pairs, read-outs and prompts in each set, evenly spaced.
        name: What the spoke is called in results.

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
        """Programs against their descriptions; nothing where none has one."""
        return {_PAIRS: pairs(self._programs, at_most=self.at_most)} if self._texts else {}

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """The description of another program of the same source."""
        if len(self._texts) < 2:
            return {}
        return {_PAIRS: hard_negatives(self._programs, at_most=self.at_most)}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Behind commas in lists, and before the arguments of calls, where there are any."""
        found = {
            _LIST: list_readouts(self._programs, at_most=self.at_most),
            _CALL: argument_readouts(self._programs, at_most=self.at_most),
        }
        return {name: readouts for name, readouts in found.items() if readouts}

    def interventions(self) -> Mapping[str, Steering]:
        """Steering at ``range(``, where a program calls it with one argument."""
        counting = [program for program in self._programs if any(range_places(program))]
        return {"range(": steering(counting, at_most=self.at_most)} if counting else {}

    def figures(self, found: Findings) -> Mapping[str, "go.Figure"]:
        """Each read-out by layer: closer to the word that is not written, or to what is."""
        from semantic_hub.lenses.figures import item_map

        titles = {
            _LIST: "Behind a comma: and (blue), or what comes next",
            _CALL: "Before an argument: its parameter (blue), or itself",
        }
        return {titles[name]: item_map(found.lens[name]) for name in titles if name in found.lens}

    @cached_property
    def _programs(self) -> Sequence[Program]:
        return standard_library_functions(500) if self.programs is None else self.programs

    @property
    def _texts(self) -> set[str]:
        return {program.text for program in self._programs if program.text}


def _described(programs: Sequence[Program], at_most: int) -> tuple[Program, ...]:
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
    return Pairs.from_prompts(
        [program.code for program in programs],
        [program.text for program in programs],
        x_name="program",
        y_name="description",
        labels=[program.name for program in programs] if all(p.name for p in programs) else (),
    )


def _neighbours(programs: Sequence[Program]) -> Iterator[int]:
    """The next program of the same source, in a circle; of all programs where it has none."""
    by_source: dict[str, list[int]] = {}
    for index, program in enumerate(programs):
        by_source.setdefault(program.source, []).append(index)
    for index, program in enumerate(programs):
        group = by_source[program.source]
        alone = len(group) == 1
        yield (index + 1) % len(programs) if alone else _next(group, index)


def _next(circle: Sequence[int], index: int) -> int:
    return circle[(circle.index(index) + 1) % len(circle)]


def _kept(found: Sequence[Item], at_most: int) -> tuple[Item, ...]:
    return evenly_spaced(found, at_most) if found else ()


def _readout(program: Program, place: int, groups: Mapping[str, tuple[str, ...]]) -> Readout:
    return Readout(Prompt(program.code[:place]), groups, program.code[place:])


def _another(names: Sequence[str], index: int) -> str:
    """The next name, in a circle, that is not this one."""
    circle = (names[(index + step) % len(names)] for step in range(1, len(names)))
    return next(name for name in circle if name != names[index])
