"""Results: axes, units, manifests, and files that are read back or refused."""

import errno
import json
import math
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import files as storage
from semantic_hub.results import result as results
from semantic_hub.results.result import Result, manifest


@dataclass(frozen=True, eq=False, kw_only=True)
class Norms(Result):
    coordinates = {"layer": "layers"}
    layers: tuple[int, ...]
    norm: Float[Tensor, "prompt layer"] = field(metadata={"unit": "residual norm"})
    length: Int[Tensor, " prompt"]
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    controls: Mapping[str, "Norms"] = field(default_factory=dict)
    spreads: Mapping[str, "Spread"] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Spread(Result):
    prompts: tuple[str, ...]
    value: Float[Tensor, " prompt"]
    inner: Mapping[str, "Spread"] = field(default_factory=dict)


def norms(**changes) -> Norms:
    values = {
        "layers": (0, 2),
        "norm": torch.tensor([[1.0, 2.0], [3.0, torch.nan], [0.1, 0.2]]).double(),
        "length": torch.tensor([4, 5, 6]),
        "manifest": {"seed": 3, "dropped": {"α": [1, 2]}},
    }
    return Norms(**{**values, **changes})


def assert_same(a: Norms, b: Norms) -> None:
    assert (a.layers, a.names, a.manifest) == (b.layers, b.names, b.manifest)
    torch.testing.assert_close(a.norm, b.norm, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(a.length, b.length)
    assert list(a.controls) == list(b.controls)
    for name, control in a.controls.items():
        assert_same(control, b.controls[name])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_axes_come_from_the_annotations_and_units_from_the_fields():
    assert norms().axes == {"norm": ("prompt", "layer"), "length": ("prompt",)}
    assert norms().units == {"norm": "residual norm", "length": ""}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"layers": (0, 1, 2)},
            "norm with 2 along 'layer'; expected 3 along 'layer', as in layers",
        ),
        ({"length": torch.tensor([1])}, "length with 1 along 'prompt'; expected 3 .* as in norm"),
        (
            {"norm": torch.zeros(3)},
            r"norm, a Tensor of shape \(3,\); expected a Tensor with axes \('prompt', 'layer'\)",
        ),
    ],
)
def test_fields_that_disagree_about_an_axis_are_refused(changes, text):
    with pytest.raises(SemanticHubError, match=text):
        norms(**changes)


def test_a_result_comes_back_as_it_was(tmp_path):
    result = norms(names={"día": ("lunes", "martes")}, controls={"a twin/2": norms(layers=(5, 6))})
    assert result.save(tmp_path / "deep" / "result") == tmp_path / "deep" / "result"
    assert_same(Norms.load(tmp_path / "deep" / "result"), result)


def test_results_of_another_class_come_back_at_every_depth(tmp_path):
    inner = Spread(prompts=("a", "b"), value=torch.tensor([1.0, torch.nan]), manifest={})
    outer = Spread(prompts=("c",), value=torch.ones(1), inner={"deep": inner}, manifest={"seed": 1})
    control = norms(spreads={"std": inner})
    norms(controls={"twin": control}, spreads={"std": outer}).save(tmp_path)
    loaded = Norms.load(tmp_path)
    again = loaded.spreads["std"].inner["deep"], loaded.controls["twin"].spreads["std"]
    for one in again:
        assert type(one) is Spread
        assert one.prompts == ("a", "b")
        torch.testing.assert_close(one.value, inner.value, rtol=0, atol=0, equal_nan=True)
    assert loaded.spreads["std"].manifest == {"seed": 1}


def test_files_are_json_and_safetensors_with_axes_and_units(tmp_path):
    norms().save(tmp_path)
    record = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert record["axes"]["norm"] == ["prompt", "layer"]
    assert record["units"]["norm"] == "residual norm"
    assert names_in(tmp_path) == sorted(["result.json", record["arrays"]])


def test_equal_results_give_equal_files(tmp_path):
    """But for the name of the arrays' file, which no other file ever had."""
    records, arrays = [], []
    for place in (tmp_path / "a", tmp_path / "b"):
        norms().save(place)
        records.append(json.loads((place / "result.json").read_text(encoding="utf-8")))
        arrays.append((place / records[-1].pop("arrays")).read_bytes())
        del records[-1]["digest"]
    assert records[0] == records[1]
    assert arrays[0] == arrays[1]


def test_a_second_save_replaces_the_first(tmp_path):
    norms().save(tmp_path)
    other = norms(norm=torch.zeros(3, 2))
    other.save(tmp_path)
    assert_same(Norms.load(tmp_path), other)
    assert len(names_in(tmp_path)) == 2


@pytest.mark.parametrize("last_file", [0, 1])
def test_killed_in_the_middle_the_old_result_is_still_there(tmp_path, monkeypatch, last_file):
    norms().save(tmp_path)
    replace, written = Path.replace, []

    def dying_replace(source: Path, target: Path) -> Path:
        if len(written) == last_file:
            raise KeyboardInterrupt
        written.append(target)
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", dying_replace)
    with pytest.raises(KeyboardInterrupt):
        norms(norm=torch.zeros(3, 2)).save(tmp_path)
    assert_same(Norms.load(tmp_path), norms())
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_written_when_the_manifest_is_not_json(tmp_path):
    with pytest.raises(SemanticHubError, match=r"Norms\.save: got .*device"):
        norms(manifest={"device": torch.device("cpu")}).save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def damage_nothing_saved(folder: Path) -> None:
    (folder / "result.json").unlink()


def damage_json(folder: Path) -> None:
    (folder / "result.json").write_text('{"format": 1,')


def damage_kind(folder: Path) -> None:
    Spread(prompts=(), value=torch.ones(0), manifest={}).save(folder)


def damage_layers(folder: Path) -> None:
    edit(folder / "result.json", lambda record: record["fields"]["layers"].reverse())


def damage_order(folder: Path) -> None:
    """The same keys and values, with the keys of a mapping in another order."""

    def turn(record: dict) -> None:
        record["axes"] = dict(reversed(record["axes"].items()))

    edit(folder / "result.json", turn)


def damage_names_another_folder(folder: Path) -> None:
    (arrays,) = folder.glob("arrays-*")
    arrays.rename(folder.parent / arrays.name)


def damage_arrays_huge(folder: Path) -> None:
    with next(folder.glob("arrays-*")).open("wb") as file:
        file.truncate(10**12)


def damage_pipe(folder: Path) -> None:
    (folder / "result.json").unlink()
    os.mkfifo(folder / "result.json")


def damage_deep(folder: Path) -> None:
    (folder / "result.json").write_text("[" * 100_000)


def damage_digits(folder: Path) -> None:
    (folder / "result.json").write_text("9" * 5000)


def edit(path: Path, change: Callable[[dict], object]) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def damage_format(folder: Path) -> None:
    record = (folder / "result.json").read_text(encoding="utf-8")
    older = record.replace('"format": 7', '"format": 2')
    assert older != record
    (folder / "result.json").write_text(older, encoding="utf-8")


def damage_arrays(folder: Path) -> None:
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1])


def damage_arrays_gone(folder: Path) -> None:
    next(folder.glob("*.safetensors")).unlink()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (damage_nothing_saved, "result.json: No such file .*; expected a Norms of format 7"),
        (damage_json, "result.json: JSONDecodeError"),
        (damage_kind, "result.json: the kind 'Spread'; expected a Norms"),
        (damage_format, "of format 2; expected format 7, that of this version of semantic-hub"),
        (damage_layers, "result.json: not the content that was saved"),
        (damage_order, "result.json: not the content that was saved"),
        (damage_names_another_folder, "safetensors: No such file"),
        (damage_arrays_huge, "safetensors: 1,000,000,000,000 bytes, more than"),
        (damage_pipe, "result.json: no regular file"),
        (damage_deep, "result.json: RecursionError"),
        (damage_digits, "result.json: ValueError"),
        (damage_arrays, "safetensors: not the content that was saved"),
        (damage_arrays_gone, "safetensors: No such file"),
    ],
)
def test_what_cannot_be_read_back_is_named(tmp_path, damage, text):
    norms().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(SemanticHubError, match=text):
        Norms.load(tmp_path)


def test_a_file_that_is_laid_out_anew_is_read(tmp_path):
    norms().save(tmp_path)
    edit(tmp_path / "result.json", lambda record: None)  # other white space, other escapes
    assert_same(Norms.load(tmp_path), norms())


def test_an_earlier_format_is_replaced_with_its_arrays(tmp_path):
    old = {"format": 2, "arrays": "arrays-0123456789abcdef.safetensors", "kind": "Norms"}
    (tmp_path / old["arrays"]).write_bytes(b"")
    (tmp_path / "result.json").write_text(json.dumps(old))
    norms().save(tmp_path)
    assert_same(Norms.load(tmp_path), norms())
    assert len(names_in(tmp_path)) == 2


@pytest.mark.parametrize("named", ["own.txt", "../own.txt", ["own.txt"], None])
def test_a_record_that_names_a_users_file_does_not_remove_it(tmp_path, named):
    (folder := tmp_path / "run").mkdir()
    own = [folder / "own.txt", tmp_path / "own.txt", folder / "arrays-mine.safetensors"]
    for path in own:
        path.write_text("mine")
    (folder / "result.json").write_text(json.dumps({"format": 2, "arrays": named}))
    norms().save(folder)
    assert all(path.read_text() == "mine" for path in own)


def test_what_killed_writers_left_is_removed_after_a_day(tmp_path):
    names = [
        f"arrays-{'0' * 32}.safetensors",
        f".semantic-hub-{'1' * 32}.part",
        "arrays-mine.safetensors",
        ".semantic-hub-notes.part",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    norms().save(tmp_path)
    assert set(names) < set(names_in(tmp_path))
    yesterday = time.time() - 25 * 3600
    for name in names:
        os.utime(tmp_path / name, (yesterday, yesterday))
    norms().save(tmp_path)
    assert set(names) & set(names_in(tmp_path)) == set(names[2:])
    assert_same(Norms.load(tmp_path), norms())


def full(source: Path, target: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_keeps_the_old_result(tmp_path, monkeypatch):
    norms().save(tmp_path)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SemanticHubError, match=r"Norms\.save: got .*No space left on device"):
        norms(norm=torch.zeros(3, 2)).save(tmp_path)
    assert_same(Norms.load(tmp_path), norms())
    assert len(names_in(tmp_path)) == 2


def test_a_disk_without_room_for_the_arrays_is_the_packages_error(tmp_path):
    """In a process that may write files of 4,096 bytes only, as on a disk that is nearly full."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        text = pool.submit(save_without_room, tmp_path / "run").result()
    assert text.startswith("Norms.save: got") and "File too large; expected a place" in text
    assert names_in(tmp_path / "run") == []


def save_without_room(folder: Path) -> str:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    with pytest.raises(SemanticHubError) as caught:
        norms(norm=torch.ones(3000, 2), length=torch.ones(3000, dtype=torch.int64)).save(folder)
    return str(caught.value)


def test_a_file_in_the_way_is_the_packages_error(tmp_path):
    (tmp_path / "run").write_text("notes")
    for place in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with pytest.raises(
            SemanticHubError, match=r"Norms\.save: got .*run.*: (File exists|Not a)"
        ):
            norms().save(place)
        with pytest.raises(SemanticHubError, match=r"report: got .*run.*: (File exists|Not a)"):
            storage.check_writable(place, "report")
    assert (tmp_path / "run").read_text() == "notes"


def test_checking_a_folder_leaves_nothing_in_it(tmp_path, monkeypatch):
    storage.check_writable(tmp_path / "deep" / "run", "report")
    assert names_in(tmp_path / "deep" / "run") == []
    monkeypatch.setattr(os, "fsync", lambda number: full(Path(), Path()))
    with pytest.raises(SemanticHubError, match=r"report: got .*run: No space left on device"):
        storage.check_writable(tmp_path / "deep" / "run", "report")
    assert names_in(tmp_path / "deep" / "run") == []


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(number: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{number}').resolve().suffix}")
        fsync(number)

    def noted_replace(source: Path, target: Path) -> Path:
        done.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    storage.write_atomically(tmp_path / "a.txt", b"one", "save")
    assert done == ["sync .part", "rename", "sync "]


@pytest.mark.parametrize("text", ["\ud800", {"a": ["\udfff"]}, math.inf])
def test_text_that_no_file_can_hold_is_refused(text):
    with pytest.raises(SemanticHubError, match=r"save: got .*; expected text, finite"):
        storage.to_json(text, "save")


def save_often(folder: Path, number: int, barrier) -> None:
    result = tagged(number)
    for _ in range(4):
        barrier.wait()
        result.save(folder)


def tagged(number: int) -> Spread:
    """A result whose every part bears a number."""
    value = torch.full((2,), float(number))
    return Spread(prompts=(f"{number}",) * 2, value=value, manifest={"number": number})


@pytest.mark.parametrize("numbers", [(1, 2), (1, 1), (1, 2, 3)])
def test_processes_that_save_at_once_leave_one_result_whole(tmp_path, numbers):
    race(save_often, tmp_path, numbers)
    found = Spread.load(tmp_path)
    assert found.manifest["number"] in numbers
    assert found.prompts == (f"{found.manifest['number']}",) * 2
    assert found.value.tolist() == [float(found.manifest["number"])] * 2


def race(save: Callable, folder: Path, numbers: Sequence[int]) -> None:
    """Run a function in one process for each number, all at once."""
    context = get_context("fork")
    barrier = context.Barrier(len(numbers))
    processes = [context.Process(target=save, args=(folder, n, barrier)) for n in numbers]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(numbers)


def test_atomic_write_leaves_no_temporary_file(tmp_path):
    storage.write_atomically(tmp_path / "a.txt", b"one", "save")
    storage.write_atomically(tmp_path / "a.txt", b"two", "save")
    assert names_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"two"


def test_manifest_tells_model_libraries_and_settings(model):
    content = manifest(model, seed=4, layers=(0, 1))
    assert content["model"]["n_layers"] == 3
    assert content["libraries"]["torch"] == metadata.version("torch")
    assert content["prepend_bos"] is True
    assert (content["seed"], content["layers"]) == (4, [0, 1])
    assert json.loads(json.dumps(content)) == content == manifest(model, seed=4, layers=(0, 1))


def test_manifest_survives_saving(model, tmp_path):
    result = norms(manifest=manifest(model, parameters={"span": (0, 2)}))
    result.save(tmp_path)
    assert Norms.load(tmp_path).manifest == result.manifest


def test_manifest_refuses_what_json_cannot_hold(model):
    with pytest.raises(SemanticHubError, match="manifest: got Object of type SimpleNamespace"):
        manifest(model, setting=SimpleNamespace())


def test_a_library_that_is_not_installed_has_no_version():
    assert results._version("no-such-library-anywhere") is None
