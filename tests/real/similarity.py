"""Similarity of sentences on the two real models, as the tables of docs/real-models.md.

    python tests/real/similarity.py FOLDER

FOLDER is where tests/real/fetch.py put the models. English against Spanish, Chinese and Russian: 120
sentences each, read at the last token of a short continuation, with all controls.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import semantic_hub as sh
from semantic_hub.alignment.controls import RANDOM_TWIN, SHUFFLED, stacked_controls

MODELS = ("gemma-3-270m", "smollm2-135m-instruct")
LANGUAGES = ("es", "zh", "ru")
DEPTHS = tuple(tenth / 10 for tenth in range(11))


def rows(found: sh.alignment.SimilarityResult) -> Iterator[tuple[str, Sequence[float]]]:
    """The curves of one pair of languages, by name."""
    yield "Eq. 1", found.similarity.tolist()
    yield "mutual retrieval", found.measures["mutual retrieval"].value.tolist()
    yield "**AUC**", found.auc.value.tolist()
    yield "AUC, random twin", found.controls[RANDOM_TWIN].auc.value.tolist()
    yield "wins over shuffled tokens", found.wins[SHUFFLED].value.tolist()
    yield "margin", found.margin.tolist()


def main(folder: Path) -> None:
    """Print a table for each model."""
    for name in MODELS:
        model = sh.load_model(folder / name, device="cpu")
        print(f"## {name}\n\n| pair | depth | " + " | ".join(f"{d:g}" for d in DEPTHS) + " |")
        print("|---|---|" + "---|" * len(DEPTHS))
        for language in LANGUAGES:
            pairs = sh.spokes.language.pairs("en", language)
            controls = stacked_controls(model, pairs)
            found = sh.similarity(model, pairs, controls=controls, measures=["mutual retrieval"])
            for row, values in rows(found):
                digits = 3 if row == "Eq. 1" else 2
                at = (values[round(depth * model.cfg.n_layers)] for depth in DEPTHS)
                shown = " | ".join(f"{value:.{digits}f}" for value in at)
                print(f"| en – {language} | {row} | {shown} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
