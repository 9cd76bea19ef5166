"""What a type checker says of a loaded model's attributes."""

import subprocess
import sys
from pathlib import Path

import pytest

SNIPPET = """
import semantic_hub as sh

model = sh.load_model("hub-mini")
print(model.W_U.shape, model.blocks[0].attn, model.to_str_tokens("a dog"))
model.add_hook("blocks.0.hook_resid_pre", lambda value, hook: value)
model.reset_hooks()
print(sh.random_twin(model).W_E, model.OV)
speech, encode = sh.load_multimodal("hub-mini")
print(speech.hook_dict, sh.residual_stream(speech, ["a"]).shapes)
"""


@pytest.mark.slow
def test_usual_attributes_of_a_loaded_model_type_check(tmp_path: Path) -> None:
    """The last line's misspelled ``shapes`` shows that errors would be seen."""
    pytest.importorskip("pyright")
    (snippet := tmp_path / "snippet.py").write_text(SNIPPET, encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(snippet)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    assert len(errors) == 1 and '"shapes"' in errors[0], done.stdout
