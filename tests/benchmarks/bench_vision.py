"""Time of 1,000 pictures: drawn, encoded, and their similarity with captions on hub-mini.

``python tests/benchmarks/bench_vision.py`` prints it. The encoder is hub-mini's own eye.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

import semantic_hub as sh
from semantic_hub.spokes.vision.images.drawn import random_pictures
from semantic_hub.spokes.vision.pairing import pairs
from semantic_hub.spokes.vision.spoke import VisionSpoke

COUNT, TARGET_SECONDS = 1000, 30
Made = TypeVar("Made")


def timed(name: str, make: Callable[[], Made]) -> tuple[Made, float]:
    """What is made, and the seconds that it took."""
    start, cpu = time.perf_counter(), time.process_time()
    made = make()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"  {name:<36} {wall:6.2f} s, processor {cpu:6.2f} s")
    return made, wall


if __name__ == "__main__":
    torch.set_num_threads(2)
    model, encode = sh.load_multimodal("hub-mini")
    drawn, _ = timed("drawing", lambda: random_pictures(COUNT))
    spoke = VisionSpoke(encode, drawn, at_most=COUNT)
    encoded, encoding = timed(
        "encoding", lambda: [s for kind in spoke.encoded_pictures.values() for s in kind]
    )
    _, measuring = timed("similarity", lambda: sh.similarity(model, pairs(encoded)))
    verdict = "met" if encoding + measuring <= TARGET_SECONDS else "MISSED"
    print(f"  encoding and similarity: {encoding + measuring:.1f} s (target ≤ 30 s: {verdict})")
