"""Control vectors: the bytes that other tools write, and the block that a vector is added to."""

import base64
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import semantic_hub as sh
from semantic_hub.interventions.steering.contrasts import mean_differences
from semantic_hub.interventions.steering.control_vectors import (
    read_control_vector,
    write_control_vector,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer

BY_REPENG = base64.b64decode(
    "R0dVRgMAAAACAAAAAAAAAAMAAAAAAAAAFAAAAAAAAABnZW5lcmFsLmFyY2hpdGVjdHVyZQgAAAANAAAAAAAAAGNvbnRyb2x2"
    "ZWN0b3IYAAAAAAAAAGNvbnRyb2x2ZWN0b3IubW9kZWxfaGludAgAAAAFAAAAAAAAAGxsYW1hGQAAAAAAAABjb250cm9sdmVj"
    "dG9yLmxheWVyX2NvdW50BAAAAAIAAAALAAAAAAAAAGRpcmVjdGlvbi4xAQAAAAQAAAAAAAAAAAAAAAAAAAAAAAAACwAAAAAA"
    "AABkaXJlY3Rpb24uMwEAAAAEAAAAAAAAAAAAAAAgAAAAAAAAAAAAAAAAgD8AAADAAAAAPwAAQEAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAIBAAACAvgAAAAAAAAAAAAAAAAAAAAA="
)
"""What repeng's ``export_gguf`` writes by the package gguf (0.19) for the blocks 1 and 3."""

VECTORS = {2: [1.0, -2.0, 0.5, 3.0], 4: [0.0, 0.0, 4.0, -0.25]}
"""The same by layer: block k writes to layer k + 1."""


def test_a_file_of_repeng_is_read(tmp_path: Path) -> None:
    (tmp_path / "its.gguf").write_bytes(BY_REPENG)
    found = read_control_vector(tmp_path / "its.gguf")
    assert {layer: direction.vector.tolist() for layer, direction in found.items()} == VECTORS
    assert [direction.layer for direction in found.values()] == [2, 4]
    assert found[2].description == "direction.1 for llama, its.gguf"


def test_a_file_is_written_byte_for_byte_as_repeng_does(tmp_path: Path) -> None:
    directions = {k: Direction(torch.tensor(v), k, "by hand") for k, v in VECTORS.items()}
    path = write_control_vector(tmp_path / "ours.gguf", directions, model_hint="llama")
    assert path.read_bytes() == BY_REPENG


def test_a_vector_is_added_to_the_output_of_its_block(
    model: Any, llama_folder: Path, tmp_path: Path
) -> None:
    """As llama.cpp and repeng add ``direction.k`` to block k, done here in plain transformers."""
    directions = mean_differences(model, ["The dog", "cat"], ["2+3="], layers=[2, 3])
    path = write_control_vector(tmp_path / "two.gguf", directions, model_hint="llama")
    found = read_control_vector(path)
    plain: Any = transformers.AutoModelForCausalLM.from_pretrained(llama_folder).eval()
    for layer, direction in found.items():
        torch.testing.assert_close(direction.vector, directions[layer].vector)

        def add(
            module: Any, inputs: Any, output: Any, vector: torch.Tensor = direction.vector
        ) -> Any:
            return (
                (output[0] + vector, *output[1:]) if isinstance(output, tuple) else output + vector
            )

        plain.model.layers[layer - 1].register_forward_hook(add)
    tokens = model.to_tokens("El perro ladra")
    with torch.no_grad(), steer(model, found[2]), steer(model, found[3]):
        steered = model(tokens)
        torch.testing.assert_close(steered, plain(tokens).logits, atol=1e-4, rtol=1e-4)


def test_every_cut_and_every_changed_byte_is_read_or_is_our_error(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    damaged = [BY_REPENG[:size] for size in range(len(BY_REPENG))]
    for place in range(len(BY_REPENG)):
        for value in (0, 9, 255):
            damaged.append(BY_REPENG[:place] + bytes([value]) + BY_REPENG[place + 1 :])
    refused = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            read_control_vector(path)
        except sh.SemanticHubError:
            refused += 1
    assert refused > len(BY_REPENG)


@pytest.mark.parametrize(
    ("directions", "model_hint", "message"),
    [
        ({}, "llama", r"vectors of the widths \[\]"),
        (Direction(torch.ones(2), None, "no layer"), "llama", "no layer at layer None"),
        (Direction(torch.ones(2), 1, "block 0"), "llama", "block 0 at layer 1"),
        (Direction(torch.ones(2, 2), 2, "rows"), "llama", "rows at layer 2"),
        ({3: Direction(torch.ones(2), 2, "elsewhere")}, "llama", "elsewhere at layer 2"),
        (Direction(torch.ones(2), 2, "ones"), "", "for ''"),
        (
            {2: Direction(torch.ones(2), 2, "two"), 3: Direction(torch.ones(3), 3, "three")},
            "llama",
            r"widths \[2, 3\]",
        ),
    ],
)
def test_what_has_no_place_in_a_control_vector(
    directions: Any, model_hint: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(sh.SemanticHubError, match=f"write_control_vector: got .*{message}"):
        write_control_vector(tmp_path / "none.gguf", directions, model_hint=model_hint)
    assert not list(tmp_path.iterdir())


def test_another_kind_of_gguf_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(BY_REPENG.replace(b"controlvector\x18", b"gemma-3-model\x18"))
    with pytest.raises(
        sh.SemanticHubError, match=r"model\.gguf: ValueError, holds 'gemma-3-model'"
    ):
        read_control_vector(path)
