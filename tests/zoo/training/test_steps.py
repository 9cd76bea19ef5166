"""Folders that replace others whole: nothing is lost when writing or moving fails."""

from pathlib import Path

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.zoo.training.steps import replacing


def content(folder: Path) -> dict[str, str]:
    """Files by name, of everything beside the folder too."""
    files = [file for file in folder.parent.rglob("*") if file.is_file()]
    return {file.relative_to(folder.parent).as_posix(): file.read_text() for file in files}


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("first", "second"):
        with replacing(folder, "export") as part:
            assert not any(part.iterdir())
            (part / text).write_text(text)
            assert not (folder / text).exists()
        assert content(folder) == {f"model/{text}": text}


def test_a_folder_that_is_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").write_text("old")

    def interrupted() -> None:
        with replacing(folder, "export") as part:
            (part / "new").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert content(folder) == {"model/old": "old"}


def test_a_move_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").write_text("old")
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with (
        pytest.raises(SemanticHubError, match=r"export: got .*model: No space left on device"),
        replacing(folder, "export") as part,
    ):
        (part / "new").write_text("new")
    assert content(folder) == {"model/old": "old"}
