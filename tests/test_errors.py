"""Errors say four things, survive a trip to another process, and name the nearest choice."""

import copy
import json
import os
import pickle
import socket
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from semantic_hub.errors import (
    NothingLeftError,
    SemanticHubError,
    SemanticHubWarning,
    check_choice,
    check_names,
    is_file,
    reading,
    writing,
)

KINDS = [SemanticHubError, NothingLeftError]


def error(kind: type[SemanticHubError]) -> SemanticHubError:
    return kind("similarity", got=3, expected="at least 2 pairs", fix="Pass more pairs.")


def raise_nothing_left() -> None:
    raise NothingLeftError("lens", got="no words", expected="one", fix="Use other words.")


def test_an_error_says_four_things() -> None:
    assert str(error(SemanticHubError)) == (
        "similarity: got 3; expected at least 2 pairs. Pass more pairs."
    )
    assert isinstance(error(NothingLeftError), ValueError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
)
def test_a_copy_is_of_the_same_class(kind, copied) -> None:
    before, after = error(kind), copied(error(kind))
    assert type(after) is kind
    assert str(after) == str(before)
    assert vars(after) == vars(before)


def test_an_error_keeps_its_class_between_processes() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool,
        pytest.raises(NothingLeftError, match=r"lens: got no words; expected one\. Use other"),
    ):
        pool.submit(raise_nothing_left).result()


def test_a_choice_is_given_as_its_position() -> None:
    assert check_choice("share", "group", "hub", ("surface", "hub")) == 1
    assert check_choice("share", "layer", 4, (2, 4)) == 1


def test_another_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(SemanticHubError, match=r"^share: got the group 'hubs'; expected one of "
                       r"'surface', 'hub'\. Did you mean 'hub'\?$"):  # fmt: skip
        check_choice("share", "group", "hubs", ("surface", "hub"))


@pytest.mark.parametrize(
    ("got", "known", "message"),
    [
        ("x", ("surface", "hub"), r"the group 'x'; .*'hub'\. Name one of these\."),
        (5, (2, 4), r"the group 5; expected one of 2, 4\. Name one of these\."),
        ("hub", (2, 4), r"the group 'hub'; expected one of 2, 4\."),
        ("hub", (), r"expected one of none\."),
    ],
)
def test_a_choice_that_is_near_to_none(got, known, message) -> None:
    with pytest.raises(SemanticHubError, match=message):
        check_choice("share", "group", got, known)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


def a_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def below_a_file(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (lambda path: None, "f", "No such file"),
        (a_folder, "f", "a folder"),
        (a_pipe, "f", "no regular file"),
        (a_socket, "f", "no regular file"),
        (a_dangling_link, "f", "No such file"),
        (a_link_to_itself, "f", "[Ss]ymbolic links"),
        (below_a_file, "f/g", "Not a directory"),
        (lambda path: None, "f\0", "null"),
        (lambda path: None, "f\ud800", "UnicodeEncodeError"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_only_regular_files_are_read(tmp_path, make, name, reason) -> None:
    make(tmp_path / "f")
    with (
        pytest.raises(SemanticHubError, match=rf"^load: got .*: .*{reason}.*; expected a table\."),
        reading("load", tmp_path / name, expected="a table", fix="Save it."),
    ):
        pytest.fail("the file was taken")


def test_a_file_that_is_too_large_is_not_read(tmp_path) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.truncate(10**12)  # takes no room on the disk
    with (
        pytest.raises(SemanticHubError, match="1,000,000,000,000 bytes, more than the 1,000 that"),
        reading("load", tmp_path / "f", expected="a table", fix="Save it.", at_most=1000),
    ):
        pytest.fail("the file was taken")


def test_a_link_to_a_file_is_read(tmp_path) -> None:
    (tmp_path / "f").write_text("[1]")
    (tmp_path / "link").symlink_to("f")
    with reading(
        "load", str(tmp_path / "link"), expected="a table", fix="Save it.", at_most=3
    ) as path:
        assert json.loads(path.read_text()) == [1]


@pytest.mark.parametrize(
    "raised",
    [
        KeyError("a"),
        RecursionError(),
        MemoryError(),
        OverflowError("too large"),
        EOFError(),
        OSError("odd"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        AssertionError("x\n" * 9),
        ValueError("x" * 10**6),
    ],
)
def test_whatever_goes_wrong_while_reading_is_one_line(tmp_path, raised) -> None:
    (tmp_path / "f").touch()
    with (
        pytest.raises(SemanticHubError, match=type(raised).__name__) as caught,
        reading("load", tmp_path / "f", expected="a table", fix="Save it."),
    ):
        raise raised
    assert caught.value.__cause__ is raised
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [*KINDS, SemanticHubWarning, KeyboardInterrupt])
def test_the_packages_own_errors_pass_a_reader(tmp_path, kind) -> None:
    (tmp_path / "f").touch()
    raised = error(kind) if issubclass(kind, SemanticHubError) else kind("text")
    with (
        pytest.raises(kind) as caught,
        reading("load", tmp_path / "f", expected="a table", fix="Save it."),
    ):
        raise raised
    assert caught.value is raised


def test_warnings_inside_a_reader_are_seen(tmp_path) -> None:
    (tmp_path / "f").touch()
    with (
        pytest.warns(SemanticHubWarning, match="twice"),
        reading("load", tmp_path / "f", expected="a table", fix="Save it."),
    ):
        warnings.warn("a name stands twice", SemanticHubWarning, stacklevel=1)


def test_a_full_disk_is_the_packages_error() -> None:
    with (
        pytest.raises(SemanticHubError, match="save: got /dev/full: No space left on device; exp"),
        writing("save", "/dev/full"),
    ):
        Path("/dev/full").write_text("page")


@pytest.mark.parametrize("name", ["f\0", "f\ud800", "no folder/f", "f" * 300])
def test_a_place_that_cannot_be_written_is_the_packages_error(tmp_path, name) -> None:
    with (
        pytest.raises(SemanticHubError, match=r"^save: got .*; expected a place that can be writ"),
        writing("save", tmp_path / name),
    ):
        (tmp_path / name).write_text("page")


@pytest.mark.parametrize("kind", [*KINDS, KeyError, KeyboardInterrupt])
def test_other_errors_pass_a_writer(kind) -> None:
    raised = error(kind) if issubclass(kind, SemanticHubError) else kind("text")
    with pytest.raises(kind) as caught, writing("save", "there"):
        raise raised
    assert caught.value is raised


SOUND_NAMES = ["en – es", "día", "名前", "a b", "می‌خواهم", "👩‍🔬", "<b>", "../x", " padded "]

WRONG_NAMES = [1, None, ("a",), "", " ", "a\nb", "a\0", "\x1b[31m", "\x85", "a\u2028b", "\ud800"]


def test_names_of_every_script_are_accepted() -> None:
    check_names("run", "set", SOUND_NAMES)


@pytest.mark.parametrize("name", WRONG_NAMES, ids=repr)
def test_a_name_that_could_not_be_shown_or_saved_is_refused(name: object) -> None:
    with pytest.raises(SemanticHubError, match=r"^run: got a set called .*; expected names") as e:
        check_names("run", "set", ["fine", name])
    assert str(e.value).encode().decode().isprintable()


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(SemanticHubError, match=r"got two spokes called 'a'; .* a name of its own"):
        check_names("report", "spoke", ["a", "b", "a"])


def test_a_message_is_short_however_long_its_parts_are() -> None:
    text = f"begin{'x' * 10**7}end"
    raised = SemanticHubError("load", got=repr(text), expected=text, fix=text)
    assert len(str(raised)) < 1500
    assert str(raised).startswith("load: got 'beginxxx")
    assert str(raised).count("end") == 3
    assert (raised.expected, raised.fix) == (text, text)


def test_a_message_can_be_printed_whatever_it_quotes() -> None:
    raised = SemanticHubError("load", got="a\ud800\x1b[2J\n", expected="año 狗", fix="Mend it.")
    assert str(raised) == r"load: got a\ud800\x1b[2J\n; expected año 狗. Mend it."


def test_no_file_can_have_that_name() -> None:
    assert not is_file("x" * 10_000)
    assert not is_file("x\0")
    assert is_file(__file__)
