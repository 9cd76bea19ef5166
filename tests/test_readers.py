"""Every reader of files, on damaged files: it reads them, or says in one sentence why not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from damage import NO_FILES, damaged, damaged_json, no_waiting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_multimodal import save_llava

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.control_vectors import (
    read_control_vector,
    write_control_vector,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.lenses.translators.jacobian import jacobian_lens
from semantic_hub.lenses.translators.tuned import tuned_lens
from semantic_hub.models.loading import load_model
from semantic_hub.multimodal.loading import load_multimodal
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.spokes.audio.sounds.clip import read_clip
from semantic_hub.spokes.audio.sounds.files import clips_from_folder
from semantic_hub.spokes.code.files import programs_from_folder, programs_from_jsonl
from semantic_hub.spokes.lexicon.dictionary import Lexicon
from semantic_hub.spokes.semantics.cogs import read_cogs
from semantic_hub.spokes.vision.images.coco import coco_captions, coco_panoptic
from semantic_hub.spokes.vision.images.files import read_image, read_pictures
from semantic_hub.zoo.senses import Projector
from semantic_hub.zoo.training.recipe import Recipe
from semantic_hub.zoo.training.steps import checkpoint, keep_recipe, restore
from semantic_hub.zoo.training.train_senses import _text_recipe

WIDTH, N_LAYERS = 32, 3

Make = Callable[[Path], object]


class Reader(NamedTuple):
    """A reader, the file that is damaged, and what writes it and all that goes with it."""

    file: str
    make: Make
    read: Callable[[Path, Any], object]
    json: bool = False


def text(file: str, content: str) -> Make:
    return lambda folder: (folder / file).write_text(content, encoding="utf-8")


def picture(file: str, mode: str = "RGB") -> Make:
    return lambda folder: Image.new(mode, (5, 4)).save(folder / file)


def both(*makes: Make) -> Make:
    return lambda folder: [make(folder) for make in makes]


def sound(file: str) -> Make:
    return lambda folder: soundfile.write(folder / file, np.zeros(80), 8000)


def tuned(folder: Path) -> None:
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH) for _ in range(N_LAYERS))
    torch.save(layers.state_dict(), folder / "params.pt")
    safetensors.torch.save_file(layers.state_dict(), folder / "other.safetensors")
    config = {"d_model": WIDTH, "num_hidden_layers": N_LAYERS, "bias": True, "unembed_hash": None}
    (folder / "config.json").write_text(json.dumps(config))


def jacobian(folder: Path) -> None:
    from transformer_lens.tools.analysis import JacobianLens

    JacobianLens({1: torch.eye(WIDTH)}, n_prompts=1, d_model=WIDTH).save(str(folder / "lens.pt"))


def control_vector(folder: Path) -> None:
    direction = Direction(torch.arange(1.0, 9.0), 2, "east")
    write_control_vector(folder / "east.gguf", direction, model_hint="llama")


def projector(folder: Path) -> None:
    Projector(torch.eye(3), torch.zeros(4, 3)).save(folder / "eye.safetensors")


def trained() -> tuple[Any, Any]:
    torch.manual_seed(0)
    layer = torch.nn.Linear(2, 2)
    return layer, torch.optim.AdamW(layer.parameters())


def training_state(folder: Path) -> None:
    layer, optimizer = trained()
    layer(torch.ones(2)).sum().backward()
    optimizer.step()
    checkpoint(layer, [optimizer], 3, folder / "checkpoint.safetensors")


def read_training_state(folder: Path, _: Any) -> int:
    layer, optimizer = trained()
    return restore(layer, [optimizer], folder / "checkpoint.safetensors")


def coco(folder: Path) -> None:
    picture("a.jpg")(folder)
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[:2] = 7, 0, 0
    Image.fromarray(pixels).save(folder / "a.png")
    images = [{"id": 1, "file_name": "a.jpg"}]
    captions = {"images": images, "annotations": [{"image_id": 1, "caption": "A dog."}]}
    segments = [{"id": 7, "category_id": 3}]
    panoptic = {
        "images": images,
        "categories": [{"id": 3, "name": "wall-brick"}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": segments}],
    }
    (folder / "captions.json").write_text(json.dumps(captions))
    (folder / "panoptic.json").write_text(json.dumps(panoptic))


PAIRS = "id\ten\tes\n1\tthe dog\tel perro\n2\tthe cat\tel gato\n"
JSONL = '{"en": "the dog", "es": "el perro"}\n{"en": "the cat", "es": "el gato"}\n'
CEDICT = "# CC-CEDICT\n狗 狗 [gou3] /dog/CL:隻|只[zhi1]/\n貓 猫 [mao1] /a (small) cat/\n"
COGS = "Anna ran .\trun . agent ( x _ 1 , Anna )\tin_distribution\ncake\tcake\tprimitive\n"
MODULE = 'import os\n\n\nclass A:\n    def say(self, x):\n        """Say it."""\n        return x\n'
MBPP = '{"text": "Add.", "code": "def add(a, b):\\n    return a + b", "task_id": 1}\n' * 2
CAPTIONS = "file\tcaption\na.png\tred.\n"

READERS: dict[str, Reader] = {
    "Pairs.from_tsv, tabs": Reader("t.tsv", text("t.tsv", PAIRS), lambda f, m: Pairs.from_tsv(f / "t.tsv", labels="id")),
    "Pairs.from_tsv, commas": Reader("t.csv", text("t.csv", PAIRS.replace("\t", ",")), lambda f, m: Pairs.from_tsv(f / "t.csv")),
    "Pairs.from_jsonl": Reader("t.jsonl", text("t.jsonl", JSONL), lambda f, m: Pairs.from_jsonl(f / "t.jsonl"), True),
    "Lexicon.from_tsv": Reader("t.tsv", text("t.tsv", PAIRS), lambda f, m: Lexicon.from_tsv(f / "t.tsv", "en", "es")),
    "Lexicon.from_cedict": Reader("c.u8", text("c.u8", CEDICT), lambda f, m: Lexicon.from_cedict(f / "c.u8")),
    "read_cogs": Reader("t.tsv", text("t.tsv", COGS), lambda f, m: read_cogs(f / "t.tsv")),
    "programs_from_folder": Reader("a.py", text("a.py", MODULE), lambda f, m: programs_from_folder(f)),
    "programs_from_jsonl": Reader("t.jsonl", text("t.jsonl", MBPP), lambda f, m: programs_from_jsonl(f / "t.jsonl"), True),
    "clips_from_folder, header": Reader(
        "labels.csv", both(sound("a.wav"), text("labels.csv", "file,label\na.wav,dog\n")), lambda f, m: clips_from_folder(f, rate=None)
    ),
    "clips_from_folder, VGGSound": Reader(
        "labels.csv", both(sound("a_000003.wav"), text("labels.csv", "a,3,dog,test\n")), lambda f, m: clips_from_folder(f, rate=None)
    ),
    "read_clip, WAV": Reader("a.wav", sound("a.wav"), lambda f, m: read_clip(f / "a.wav", "dog", rate=16000)),
    "read_clip, FLAC": Reader("a.flac", sound("a.flac"), lambda f, m: read_clip(f / "a.flac", "dog", seconds=2.0)),
    "read_pictures, table": Reader(
        "t.tsv", both(picture("a.png"), text("t.tsv", CAPTIONS)), lambda f, m: read_pictures(f, f / "t.tsv")
    ),
    "read_pictures, JSON Lines": Reader(
        "t.jsonl", both(picture("a.png"), text("t.jsonl", '{"file": "a.png", "caption": "red."}\n')),
        lambda f, m: read_pictures(f, f / "t.jsonl"), True,
    ),
    "read_image, PNG": Reader("a.png", picture("a.png", "RGBA"), lambda f, m: read_image(f / "a.png")),
    "read_image, JPEG": Reader("a.jpg", picture("a.jpg"), lambda f, m: read_image(f / "a.jpg")),
    "read_image, GIF": Reader("a.gif", picture("a.gif"), lambda f, m: read_image(f / "a.gif")),
    "read_image, TIFF": Reader("a.tif", picture("a.tif", "I;16"), lambda f, m: read_image(f / "a.tif")),
    "coco_captions": Reader("captions.json", coco, lambda f, m: coco_captions(f / "captions.json", f), True),
    "coco_panoptic": Reader(
        "panoptic.json", coco, lambda f, m: coco_panoptic(f / "panoptic.json", f, f, f / "captions.json"), True
    ),
    "coco_panoptic, segments": Reader("a.png", coco, lambda f, m: coco_panoptic(f / "panoptic.json", f, f)),
    "tuned_lens, config": Reader("config.json", tuned, tuned_lens, True),
    "tuned_lens, parameters": Reader("params.pt", tuned, tuned_lens),
    "tuned_lens, safetensors": Reader("other.safetensors", tuned, lambda f, m: tuned_lens(f / "other.safetensors", m)),
    "jacobian_lens": Reader("lens.pt", jacobian, lambda f, m: jacobian_lens(f / "lens.pt", m)),
    "read_control_vector": Reader("east.gguf", control_vector, lambda f, m: read_control_vector(f / "east.gguf")),
    "Projector.load": Reader("eye.safetensors", projector, lambda f, m: Projector.load(f / "eye.safetensors")),
    "restore": Reader("checkpoint.safetensors", training_state, read_training_state),
    "keep_recipe": Reader("recipe.json", lambda f: keep_recipe(Recipe(), f, "train"), lambda f, m: keep_recipe(Recipe(), f, "train"), True),
    "train_senses": Reader(
        "training.json", text("training.json", json.dumps({"recipe": {"seed": 1, "steps": 10}})), lambda f, m: _text_recipe(f), True
    ),
}  # fmt: skip


def every_run_the_same(examples: int) -> settings:
    """The same examples in every run, and no database of them."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> Any:
    return load_model(llama_folder, device="cpu", backend="bridge")


def told(reader: Reader, folder: Path, model: Any) -> str:
    """What the reader says against the file; empty if it reads it."""
    try:
        with no_waiting():
            reader.read(folder, model)
    except SemanticHubError as error:
        assert len(str(error)) < 2000
        assert str(error).isprintable()
        return str(error)
    return ""


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("examples", [20, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::semantic_hub.errors.SemanticHubWarning")
def test_damaged_files_are_read_or_told(
    tmp_path: Path, model: Any, name: str, examples: int
) -> None:
    reader = READERS[name]
    reader.make(tmp_path)
    assert not told(reader, tmp_path, model)
    content = (tmp_path / reader.file).read_bytes()
    contents = damaged(content)
    if reader.json:
        contents = st.one_of(contents, damaged_json(content))

    @every_run_the_same(examples)
    @given(content=contents)
    def read(content: bytes) -> None:
        (tmp_path / reader.file).write_bytes(content)
        told(reader, tmp_path, model)

    read()


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_told(tmp_path: Path, model: Any, name: str) -> None:
    reader = READERS[name]
    for put in NO_FILES:
        folder = tmp_path / put.__name__
        folder.mkdir()
        reader.make(folder)
        (folder / reader.file).unlink()
        put(folder / reader.file)
        absent = put.__name__ in ("nothing", "a_dangling_link", "a_link_to_itself")
        may_be_absent = name in ("restore", "keep_recipe") and absent
        assert may_be_absent or told(reader, folder, model), put.__name__


CHECKPOINT_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
)


@pytest.mark.slow
@pytest.mark.parametrize("file", CHECKPOINT_FILES)
@pytest.mark.filterwarnings("ignore")  # those of transformers about odd settings
def test_damaged_models_are_loaded_or_told(tmp_path: Path, llama_folder: Path, file: str) -> None:
    check_model_folder(llama_folder, tmp_path, file, load_model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", ["config.json", "processor_config.json", "tokenizer.json", "model.safetensors"]
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_multimodal_models_are_loaded_or_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, file: str
) -> None:
    sound = tmp_path_factory.mktemp("llava") / "model"
    save_llava(sound)
    check_model_folder(sound, tmp_path, file, load_multimodal)


def check_model_folder(sound: Path, folder: Path, file: str, load: Callable[..., object]) -> None:
    """A folder is loaded or refused whatever is in one of its files."""
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    content = (sound / file).read_bytes()
    contents = damaged(content)
    if file.endswith("json"):
        contents = st.one_of(contents, damaged_json(content))

    @every_run_the_same(10)
    @given(content=contents)
    def read(content: bytes) -> None:
        (folder / file).write_bytes(content)
        told(
            Reader(file, lambda _: None, lambda f, _: load(f, device="cpu", backend="bridge")),
            folder,
            None,
        )

    read()
