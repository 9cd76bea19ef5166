"""Measures pairs of prompts with an installed package that has no extras."""

from importlib.util import find_spec
from pathlib import Path

import semantic_hub as sh

package = Path(sh.__file__).parent
assert package.parent.name == "site-packages", f"not the wheel: {package}"
for module in ("PIL", "babel", "circuitsvis", "num2words", "soundfile", "soxr", "wordfreq"):
    assert find_spec(module) is None, f"{module} came without an extra"

model = sh.load_model("hub-mini", device="cpu")
pairs = sh.Pairs.from_prompts(["tree", "red", "big dog"], ["árbol", "rojo", "perro grande"])
frame = sh.similarity(model, pairs, controls={"random twin": sh.random_twin(model)}).to_frame()
assert len(frame) and frame["value"].notna().all(), frame
assert len(sh.spokes.language.pairs("en", "es")), "the authored sentences are not in the wheel"

try:
    sh.spokes.arithmetic.pairs()
except sh.SemanticHubError as error:
    assert 'pip install "semantic-hub[languages]"' in str(error), error
else:
    raise AssertionError("arithmetic pairs need an extra, and gave no error")
print(f"semantic-hub {sh.__version__} without extras: {len(pairs)} pairs, {len(frame)} rows")
