"""Registries as they were: what a test registers is forgotten after it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from semantic_hub.alignment.measures import MEASURES
from semantic_hub.interventions import dispatch
from semantic_hub.lenses.lens import LENSES
from semantic_hub.models.checkpoints import MODELS
from semantic_hub.multimodal.loading import ENCODERS
from semantic_hub.reporting.causal import CAUSAL_PARTS
from semantic_hub.results.result import RESULTS
from semantic_hub.spokes.registry import SPOKES

REGISTRIES = (CAUSAL_PARTS, ENCODERS, LENSES, MEASURES, MODELS, RESULTS, SPOKES)


@contextmanager
def restored() -> Iterator[None]:
    """Forget what is registered inside this block."""
    with ExitStack() as stack:
        for values in [*(registry._values for registry in REGISTRIES), dispatch._RUNNERS]:
            stack.enter_context(patch.dict(values))
        yield
