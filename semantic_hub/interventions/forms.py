"""Prompt forms: of several wordings, the one in which the model answers best on other items."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.spec import PromptForm
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Readout


class ChosenForm(NamedTuple):
    """The name of a form, and the accuracy of each form on its held-out questions, 0 to 1."""

    name: str
    accuracy: Mapping[str, float]


def choose_form(model: HookedModel, forms: Mapping[str, PromptForm]) -> ChosenForm:
    """Choose the form in which the model answers most held-out questions; of equal ones the first.

    No patch and no item of a set has a part in it. Forms without held-out questions are not
    compared: the first one is taken.

    Args:
        model: A decoder with a tokenizer.
        forms: Forms by name.

    Example:
        >>> from semantic_hub.spokes.arithmetic.interventions import prompt_forms
        >>> forms = prompt_forms("es", "digits", at_most=10)
        >>> choose_form(model, forms).name
        'sum'
    """
    asked = {name: form.held_out for name, form in forms.items()}
    if not all(asked.values()):
        return ChosenForm(next(iter(forms)), {})
    accuracy = {name: _accuracy(model, questions) for name, questions in asked.items()}
    return ChosenForm(max(accuracy, key=lambda name: accuracy[name]), accuracy)


def _accuracy(model: HookedModel, questions: Sequence[Readout]) -> float:
    """Share of questions with the right answer on top; one that cannot be scored is not right."""
    try:
        found = logit_lens(model, questions, layers=[model.cfg.n_layers], whole_words=False)
    except NothingLeftError:
        return 0.0
    return int((found.rank[:, 0, 0] == 1).sum()) / len(questions)
