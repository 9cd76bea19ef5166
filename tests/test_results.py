"""Results: axes, units, manifests, and files that are read back or refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub import results
from semantic_hub import results as storage
from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result, manifest


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
    norms().save(tmp_path / "a")
    norms().save(tmp_path / "b")
    for name in names_in(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


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
    record = (folder / "result.json").read_text(encoding="utf-8")
    (folder / "result.json").write_text(record.replace("Norms", "Other"), encoding="utf-8")


def damage_format(folder: Path) -> None:
    record = (folder / "result.json").read_text(encoding="utf-8")
    older = record.replace('"format": 2', '"format": 1')
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
        (damage_nothing_saved, "result.json: FileNotFoundError; expected a Norms of format 2"),
        (damage_json, "result.json: JSONDecodeError"),
        (damage_kind, r"kind and format \('Other', 2\)"),
        (damage_format, "of format 1; expected format 2, that of this version of semantic-hub"),
        (damage_arrays, "safetensors: not the content that was saved"),
        (damage_arrays_gone, "safetensors: No such file"),
    ],
)
def test_what_cannot_be_read_back_is_named(tmp_path, damage, text):
    norms().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(SemanticHubError, match=text):
        Norms.load(tmp_path)


def test_atomic_write_leaves_no_temporary_file(tmp_path):
    storage.write_atomically(tmp_path / "a.txt", b"one")
    storage.write_atomically(tmp_path / "a.txt", b"two")
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
