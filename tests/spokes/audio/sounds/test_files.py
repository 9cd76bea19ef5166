"""Folders of WAV files: VGGSound's layout, the plain one, and what is wrong with either."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.sounds.files import clips_from_folder

VGGSOUND = """\
---g-f_I2yQ,1,people marching,test
--PJHxphWEs,30,dog barking,train
-0SdAVK79lg,160,"people giggling, laughing",test
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["---g-f_I2yQ_000001", "--PJHxphWEs_000030", "-0SdAVK79lg_000160", "unlabelled"]
    for place, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.wav", np.full((4410, 2), place / 10), 44_100)
    (tmp_path / "vggsound.csv").write_text(VGGSOUND)
    return tmp_path


def test_vggsound(folder: Path) -> None:
    clips = clips_from_folder(folder, "vggsound.csv")
    assert [clip.label for clip in clips] == [
        "people marching",
        "dog barking",
        "people giggling, laughing",
    ]
    assert {(clip.rate, clip.seconds) for clip in clips} == {(16_000, 0.1)}
    assert [round(float(clip.waveform[800]), 2) for clip in clips] == [0.0, 0.1, 0.2]
    assert clips[1].source == str(folder / "--PJHxphWEs_000030.wav")


def test_a_split_a_part_and_a_few(folder: Path) -> None:
    test = clips_from_folder(folder, folder / "vggsound.csv", split="test", rate=None, seconds=0.05)
    assert [(clip.label, clip.rate, len(clip.waveform)) for clip in test] == [
        ("people marching", 44_100, 2205),
        ("people giggling, laughing", 44_100, 2205),
    ]
    assert len(clips_from_folder(folder, "vggsound.csv", at_most=2)) == 2


def test_a_table_with_a_header(folder: Path) -> None:
    text = 'split,label,file\na,"dog, far away",unlabelled.wav\nb,owl,--PJHxphWEs_000030.wav\n'
    (folder / "labels.csv").write_text(text)
    assert [clip.label for clip in clips_from_folder(folder)] == ["dog, far away", "owl"]
    assert [clip.label for clip in clips_from_folder(folder, split="b")] == ["owl"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gone,7,dog barking,test\n", r"line.csv:1: no file .*gone_000007.wav \(1 of 1"),
        ("file,label\ngone.wav,dog\n", r"row 1: no file .*gone.wav"),
        ("file,name\ngone.wav,dog\n", "a column 'label'"),
        ("--PJHxphWEs,30,dog barking\n", "line.csv:1: .*youtube id, start second"),
        ("--PJHxphWEs,soon,dog barking,test\n", "line.csv:1: "),
        ("--PJHxphWEs,30,,test\n", "line.csv:1: "),
        ("", "an empty file"),
    ],
)
def test_tables_that_are_refused(folder: Path, text: str, message: str) -> None:
    (folder / "line.csv").write_text(text)
    with pytest.raises(SemanticHubError, match=message):
        clips_from_folder(folder, "line.csv")


def test_other_things_that_are_refused(folder: Path) -> None:
    with pytest.raises(SemanticHubError, match="No such file"):
        clips_from_folder(folder)
    with pytest.raises(SemanticHubError, match="no row of split 'validation'"):
        clips_from_folder(folder, "vggsound.csv", split="validation")
    (folder / "--PJHxphWEs_000030.wav").write_text("no sound")
    with pytest.raises(SemanticHubError, match=r"--PJHxphWEs_000030.wav: .*soundfile reads"):
        clips_from_folder(folder, "vggsound.csv")
