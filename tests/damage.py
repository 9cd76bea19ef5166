"""Damaged files: bytes that are changed, lost or added, JSON with other values, files of no kind."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

DEEP = '"<deep>"', "[" * 100_000 + "]" * 100_000
LONG = '"<long>"', "9" * 5000
"""JSON that Python's writer cannot make: a place for it, and the text that goes there."""

_VALUES = [
    None, True, -1, 0, 3, 1.5, 10**9, 2**63, 10**30, -(10**30), 1e308, float("nan"), "", "x", "../x",
    "\0", "\ud800", "é", [], [1], ["x"], {}, {"x": 1}, "<deep>", "<long>",
]  # fmt: skip
_SNIPPETS = [
    b"", b"\0", b"\xff\xfe", b'"', b"'", b"\t", b"\n", b"\r", b",", b"/", b"(" * 3000, b"[" * 3000,
    b"9" * 5000, b'"\\ud800"', b"\xed\xa0\x80", b"-1", b"NaN", b"1e999", b"x" * 200_000, b"{}", b"\\",
    b"\xef\xbb\xbf", b"# coding: utf-7\n", b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff",
]  # fmt: skip


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """The content after one to three edits: bits flipped, bytes lost, replaced or put in."""
    place = st.integers(0, len(content))
    snippet = _one_of(_SNIPPETS) | st.binary(max_size=20)
    edit = st.one_of(
        st.tuples(st.just(_flip), place, st.integers(0, 7)),
        st.tuples(st.just(_cut), place, st.integers(0, len(content))),
        st.tuples(st.just(_insert), place, snippet),
        st.tuples(st.just(_replace), place, snippet),
    )
    return st.one_of(
        st.lists(edit, min_size=1, max_size=3).map(lambda edits: _edited(content, edits)),
        st.binary(max_size=60),
    )


def damaged_json(content: bytes) -> st.SearchStrategy[bytes]:
    """JSON, one value or one a line, after one to three values are replaced or left out."""
    lines = content.decode().splitlines() if b"\n{" in content else [content.decode()]
    values = [json.loads(line) for line in lines]
    places = [*_places(values)]
    edit = st.tuples(_one_of(places), _one_of([*_VALUES, _LEFT_OUT]))
    return st.lists(edit, min_size=1, max_size=3).map(lambda edits: _changed(values, edits))


_LEFT_OUT = object()


def _one_of(values: list[Any]) -> st.SearchStrategy[Any]:
    """As `sampled_from`, whose representation would hold all values."""
    return st.integers(0, len(values) - 1).map(lambda index: values[index])


def _flip(content: bytes, place: int, bit: int) -> bytes:
    place = min(place, len(content) - 1)
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def _cut(content: bytes, place: int, length: int) -> bytes:
    return content[:place] + content[place + length :]


def _insert(content: bytes, place: int, snippet: bytes) -> bytes:
    return content[:place] + snippet + content[place:]


def _replace(content: bytes, place: int, snippet: bytes) -> bytes:
    return content[:place] + snippet + content[place + len(snippet) :]


def _edited(content: bytes, edits: list[tuple[Callable[..., bytes], int, Any]]) -> bytes:
    for edit, place, value in edits:
        if content:
            content = edit(content, place, value)
    return content


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from _places(inner, (*place, key))


def _changed(values: list[Any], edits: list[tuple[tuple[Any, ...], Any]]) -> bytes:
    values = json.loads(json.dumps(values))
    for (*outer, last), value in edits:
        target: Any = values
        try:
            for key in outer:
                target = target[key]
            if value is _LEFT_OUT:
                del target[last]
            else:
                target[last] = deepcopy(value)
        except (LookupError, TypeError):  # an earlier edit took its place away
            continue
    text = "\n".join(map(json.dumps, values))
    for mark, odd in (DEEP, LONG):
        text = text.replace(mark, odd)
    return text.encode()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def an_empty_file(path: Path) -> None:
    path.touch()


def a_folder(path: Path) -> None:
    path.mkdir()


def nothing(path: Path) -> None:
    assert not path.exists()


NO_FILES = [a_pipe, a_dangling_link, a_link_to_itself, an_empty_file, a_folder, nothing]
"""What may stand where a file should: each makes it at a path."""


@contextmanager
def no_waiting(seconds: float = 20) -> Iterator[None]:
    """Raise rather than wait for ever, as for a pipe that nobody writes to."""

    def late(*_: object) -> None:
        raise TimeoutError("still waiting")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
