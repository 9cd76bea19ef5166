"""What a model trained on a `World` shows: ``python -m semantic_hub.zoo.evaluate MODEL``.

Prints the tables of the model card as Markdown: accuracy on what the training text told and on what
it held out, similarity and lens on what it held out.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment import RANDOM_TWIN
from semantic_hub.lens_result import LensResult
from semantic_hub.models import HookedModel
from semantic_hub.prompts import Readout
from semantic_hub.similarity import SimilarityResult
from semantic_hub.spokes.numbers import DIGITS
from semantic_hub.zoo.grammar import LANGUAGES
from semantic_hub.zoo.held_out import spokes_of, world_spokes
from semantic_hub.zoo.world import World

Row = Sequence[str]


def accuracy(result: LensResult) -> float:
    """Share of read-outs in which the surface word is the model's top token, 0 to 1."""
    return float((result.rank[:, -1, result.groups.index("surface")] == 1).double().mean())


def accuracy_rows(model: HookedModel, world: World) -> Iterator[Row]:
    """Top-1 accuracy for each notation: facts, sums and products, told and held out."""
    for notation in (*LANGUAGES[1:], DIGITS):
        cells = [
            _accuracy(model, _asked(world, notation, kind, held_out))
            for kind in ("facts", "+", "*")
            for held_out in (False, True)
        ]
        yield notation, *cells


def similarity_rows(results: Mapping[str, SimilarityResult]) -> Iterator[Row]:
    """Similarity at the embedding, at its highest layer, at the last; the random twin's highest."""
    for name, result in results.items():
        peak = int(result.similarity.argmax())
        twin = result.controls[RANDOM_TWIN]
        yield (
            name,
            f"{result.similarity[0]:.2f}",
            f"{result.layers[peak]}",
            f"{result.similarity[peak]:.2f} [{result.low[peak]:.2f}, {result.high[peak]:.2f}]",
            f"{twin.similarity[peak]:.2f} [{twin.low[peak]:.2f}, {twin.high[peak]:.2f}]",
            f"{result.similarity[-1]:.2f}",
        )


def lens_rows(results: Mapping[str, LensResult]) -> Iterator[Row]:
    """How often the hub's word wins, at the layer where it most often beats the surface word."""
    for name, result in results.items():
        ahead = result.share("hub", "surface")
        peak = int(ahead.value.argmax())
        shares = [
            result.share(*pair).value[peak]
            for pair in (("control", "surface"), ("hub", "control"), ("hub", "unrelated"))
        ]
        yield (
            name,
            f"{len(result.kept)}",
            f"{result.layers[peak]}",
            f"{ahead.value[peak]:.2f} [{ahead.low[peak]:.2f}, {ahead.high[peak]:.2f}]",
            *(f"{share:.2f}" for share in shares),
            f"{ahead.value[-1]:.2f}",
        )


def tables(model: HookedModel) -> Iterator[str]:
    """The three tables as Markdown.

    Raises:
        SemanticHubError: The model's tokenizer names no world.
    """
    spokes = spokes_of(model)
    if spokes is None:
        raise SemanticHubError(
            "evaluate",
            got=f"{model.cfg.model_name}, whose tokenizer names no world",
            expected="a model that semantic_hub.zoo.train made",
            fix="Use semantic_hub.report for other models.",
        )
    findings = [sh.run(model, spoke) for spoke in spokes]
    yield _table(
        ("", "facts", "held out", "sums", "held out", "products", "held out"),
        accuracy_rows(model, spokes[0].world),
    )
    for found in findings:
        yield _table(_SIMILARITY, similarity_rows(found.similarity))
        yield _table(_LENS, lens_rows(found.lens))


_SIMILARITY = ("set", "embedding", "peak layer", "similarity", "random twin", "last layer")
_LENS = (
    "set", "n", "layer", "hub > surface", "control > surface", "hub > control", "hub > unrelated",
    "hub > surface, last layer",
)  # fmt: skip


def _asked(world: World, notation: str, kind: str, held_out: bool) -> Sequence[Readout]:
    language, arithmetic = world_spokes(world, held_out=held_out)
    if kind == "facts":
        return language.readouts().get(f"facts, {notation}", ())
    items = tuple(item for item in arithmetic.items or () if item.operator == kind)
    return replace(arithmetic, items=items).readouts()[f"c=a+, {notation}"]


def _accuracy(model: HookedModel, readouts: Sequence[Readout]) -> str:
    return f"{accuracy(sh.logit_lens(model, readouts)):.2f}" if readouts else "–"


def _table(header: Row, rows: Iterator[Row]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: one model, by name or folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="hub-mini, or the folder of a model that zoo.train wrote")
    for table in tables(sh.load_model(parser.parse_args(arguments).model)):
        print(table)


if __name__ == "__main__":
    main()
