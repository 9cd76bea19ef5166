"""A program for `test_extras`: the package where no extra is installed; prints JSON.

The modules of every extra are hidden from this process, as if they were not installed. ``rich``
is not: TransformerLens cannot be imported without it.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HIDDEN = {
    "PIL",
    "babel",
    "circuitsvis",
    "gguf",
    "jinja2",
    "kaleido",
    "num2words",
    "peft",
    "platformdirs",
    "soundfile",
    "soxr",
    "typer",
    "wordfreq",
}


class WithoutExtras(PathFinder):
    """Finds what the usual finder does, except hidden modules."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        hidden = fullname.partition(".")[0] in HIDDEN
        return None if hidden else super().find_spec(fullname, path, target)


def main() -> None:
    sys.meta_path[:] = [WithoutExtras if f is PathFinder else f for f in sys.meta_path]
    with TemporaryDirectory() as folder:
        answers = {
            "not imported": failing_imports(),
            "bare use": bare_use(Path(folder)),
            "errors": {name: error_of(use) for name, use in uses(Path(folder)).items()},
        }
    json.dump({**answers, "hidden": sorted(HIDDEN)}, sys.stdout)


def failing_imports() -> dict[str, str]:
    """Modules of the package that cannot be imported, and why."""
    import semantic_hub

    names = [m.name for m in pkgutil.walk_packages(semantic_hub.__path__, "semantic_hub.")]
    errors = {name: error_of(lambda name=name: importlib.import_module(name)) for name in names}
    return {name: error for name, error in errors.items() if error}


def error_of(use: Callable[[], Any]) -> str:
    """The error of a call, or nothing where it works."""
    from semantic_hub.errors import SemanticHubError

    try:
        use()
    except (SemanticHubError, ImportError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def bare_use(folder: Path) -> dict[str, int]:
    """Every measurement of a user's own data: rows of the frame, once drawn, saved and loaded."""
    import semantic_hub as sh
    from semantic_hub.interventions.patching.pairs import PatchPair

    model = sh.load_model("hub-mini", device="cpu")
    pairs = sh.Pairs.from_prompts(["tree", "red", "big dog"], ["árbol", "rojo", "perro grande"])
    few = sh.Resampling(resamples=20)
    twin = {"random twin": sh.random_twin(model)}
    readout = sh.Readout(sh.Prompt("the dog is"), {"en": ("black",), "es": ("negro",)})
    moved = PatchPair((sh.Prompt("9=6+"),), sh.Prompt("5=1+"), {"source": ("3",), "own": ("4",)})
    direction = sh.activation_difference(model, "good", "bad", layer=4)
    with sh.steer(model, direction, strength=2.0):
        model("the dog is")
    results = {
        "similarity": sh.similarity(model, pairs, controls=twin, permutations=20, resampling=few),
        "logit_lens": sh.logit_lens(model, [readout], resampling=few),
        "patching_sweep": sh.patching_sweep(model, [moved], layers=[4], resampling=few),
        "steering_sweep": sh.steering_sweep(
            model,
            ["the dog is"],
            direction,
            lambda *_: "success",
            layers=[4],
            strengths=[1],
            resampling=few,
        ),
    }
    for name, result in results.items():
        result.figure()
        again = type(result).load(result.save(folder / name))
        assert again.to_frame().equals(result.to_frame()), name
    return {name: len(result.to_frame()) for name, result in results.items()}


def uses(folder: Path) -> Mapping[str, Callable[[], Any]]:
    """A use of each extra, by name."""
    import plotly.graph_objects as go

    import semantic_hub as sh
    from semantic_hub.lenses.mass.cache import cache_folder
    from semantic_hub.plotting.images import write_image
    from semantic_hub.plotting.tokens import colored_notebook
    from semantic_hub.reporting.render import check_page_path, render
    from semantic_hub.spokes.language.share import language_share
    from semantic_hub.spokes.lexicon.names import cldr_names, official_languages

    model, encode = sh.load_multimodal("hub-mini", device="cpu")
    sound = sh.spokes.audio.synthesize("owl")
    (folder / "owl.wav").touch()
    (folder / "red.png").touch()
    (folder / "model.gguf").touch()
    (folder / "captions.tsv").write_text("file\tcaption\nred.png\tred.\n", encoding="utf-8")
    assert encode(sound.waveform, sound.rate).shape[1] == model.cfg.d_model
    return {
        "languages: numbers": sh.spokes.arithmetic.pairs,
        "languages: names": lambda: cldr_names("day", "es"),
        "languages: territories": lambda: official_languages("FR"),
        "languages: mass": lambda: sh.language_mass(model, ["a dog"], ["en", "es"]),
        "languages: cache": cache_folder,
        "languages: share": lambda: language_share("es"),
        "languages: the spokes of hub-mini": lambda: sh.report(model),
        "vision: drawn": lambda: sh.spokes.vision.halves("red", "blue").image,
        "vision: read": lambda: sh.spokes.vision.read_pictures(folder, folder / "captions.tsv"),
        "audio: resampled": lambda: sound.at_rate(8000),
        "audio: read": lambda: sh.spokes.audio.read_clip(folder / "owl.wav", "owl"),
        "gguf: file": lambda: sh.load_model(folder / "model.gguf"),
        "peft: adapter": lambda: sh.load_model(sh.zoo.hub_mini_path(), adapter="lora"),
        "images: figure": lambda: write_image(go.Figure(), folder / "figure.svg"),
        "report: page": lambda: render("report.html.jinja"),
        "report: place of a page": lambda: check_page_path(folder / "report.html"),
        "report: notebook": lambda: colored_notebook(["a"], [0.5]),
        "report: shell": lambda: importlib.import_module("semantic_hub.cli"),
    }


if __name__ == "__main__":
    main()
