"""The last layer of every built-in read-out against plain transformers, on the two real models.

    python tests/real/last_layer.py FOLDER [MODEL ...]

FOLDER is where tests/real/fetch.py put the models. A read-out's words are scored in full and by
their first tokens, the answers of patch pairs by their first tokens, as patching reads them. Each
line has the number of read-outs, and of probabilities, and the largest difference from the sum over
the spellings that can stand there of the model's own probability. Takes hours on one core; lines are
kept in FOLDER/last-layer-MODEL.jsonl, and a set that has one is not measured again.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import transformers

import semantic_hub as sh

sys.path.insert(0, str(Path(__file__).parents[1]))
from in_place import (
    built_in_answers,
    built_in_readouts,
    expected_words,
    first_tokens,
    own_probabilities,
)

MODELS = ("smollm2-135m-instruct", "gemma-3-270m")
BOUND = 1e-5


def sets() -> Iterator[tuple[str, Sequence[sh.Readout], bool]]:
    """Each set's name, its read-outs, and whether words are scored in full."""
    for name, readouts in built_in_readouts():
        yield f"{name}, whole words", readouts, True
        yield f"{name}, first tokens", readouts, False
    for name, answers in built_in_answers():
        yield f"{name}, answers", answers, False


def differences(
    model: Any, network: Any, readouts: Sequence[sh.Readout], whole: bool
) -> tuple[int, list[float]]:
    """Number of read-outs that are scored, and the difference of each of their probabilities."""
    lens = sh.logit_lens(model, readouts, layers=model.cfg.n_layers, whole_words=whole)
    texts = sh.prompts.tokenize(model, [readouts[index].prompt for index in lens.kept])
    items = []
    for text, index in zip(texts, lens.kept, strict=True):
        for group in lens.groups:
            words: Any = expected_words(model, readouts[index], group)
            items.append((tuple(text), words if whole else first_tokens(model.tokenizer, words)))
    own = own_probabilities(network, items)
    reported = lens.probability[:, 0].flatten().tolist()
    return len(texts), [abs(a - b) for a, b in zip(own, reported, strict=True)]


def main(folder: Path, names: Sequence[str]) -> None:
    """Print a line for each set; fail where a difference is above the bound."""
    worst = 0.0
    for name in names:
        model = sh.load_model(folder / name, device="cpu")
        network = transformers.AutoModelForCausalLM.from_pretrained(folder / name).eval()
        kept = folder / f"last-layer-{name}.jsonl"
        lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
        done = {line["set"]: line for line in map(json.loads, lines)}
        for set_name, readouts, whole in sets():
            if set_name not in done:
                n, found = differences(model, network, readouts, whole)
                line = {"set": set_name, "readouts": n, "values": len(found), "most": max(found)}
                done[set_name] = line
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            told(name, done[set_name])
        total = {key: sum(line[key] for line in done.values()) for key in ("readouts", "values")}
        most = max(line["most"] for line in done.values())
        told(name, {"set": "all", "most": most, **total})
        worst = max(worst, most)
    if worst > BOUND:
        raise SystemExit(f"{worst:.2g} is more than {BOUND:g}")


def told(name: str, line: dict[str, Any]) -> None:
    """Print what was found of a set."""
    print(
        name,
        line["set"],
        line["readouts"],
        line["values"],
        f"{line['most']:.2g}",
        sep=" | ",
        flush=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or MODELS)
