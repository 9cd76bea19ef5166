"""States that were read elsewhere (nnsight, NDIF, vLLM, a file), in place of a model.

`States` has what a measurement asks of a model: its layers, its tokenizer and its unembedding. It
runs no forward pass: interventions are refused, and a report names them as left out.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module, Parameter

from semantic_hub.errors import SemanticHubError, check_kinds, reading
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.prompt import PromptLike, Prompts, as_prompt, as_prompts

Unembedding = Float[Tensor, "d_model d_vocab"] | Float[np.ndarray, "d_model d_vocab"]
"""The matrix from normed states to logits."""

_LONGEST = 2**31
"""Tokens of the longest prompt: whoever ran the model has checked that."""


class States(Module):
    """States of prompts at every layer, to be measured in place of the model they come from.

    Takes a model's place in `semantic_hub.similarity`, `semantic_hub.residual_stream` and, with a
    tokenizer and an unembedding, `semantic_hub.logit_lens`; so it does in `semantic_hub.run` and
    `semantic_hub.report`, for which `semantic_hub.experiment.prompts_to_record` lists what to read.
    Prompts are looked up by what they are: text, tokens and position.

    Args:
        prompts: What was read, each once.
        states: One for each prompt, ``[item, layer, d_model]``: layer 0 is the embedding, the last
            one the stream *before* the final norm (``hidden_states`` of transformers has it after).
        name: Name of the model, for manifests.
        tokenizer: The model's, as transformers loads it; for the lens.
        unembedding: ``[d_model, d_vocab]``, for the lens.
        final_norm: Function of states ``[..., d_model]``, such as the model's own module; None
            where `unembedding` takes states as they are.
        twin: States of the same prompts in a randomly initialized copy of the model: a control of
            the report's similarity.

    Raises:
        SemanticHubError: States of another shape or number than the prompts, with NaN or infinity,
            a prompt given twice, an unembedding of another width, or a twin of other layers.

    Example:
        >>> import semantic_hub as sh
        >>> recorded = sh.States(["dog", "cat", "perro", "gato"], torch.randn(4, 13, 64))
        >>> pairs = sh.Pairs.from_prompts(["dog", "cat"], ["perro", "gato"])
        >>> sh.similarity(recorded, pairs, permutations=10).layers[-1]
        12
    """

    _states: Tensor

    def __init__(
        self,
        prompts: Prompts,
        states: Float[Tensor, "item layer d_model"] | Float[np.ndarray, "item layer d_model"],
        *,
        name: str = "recorded states",
        tokenizer: Any | None = None,
        unembedding: Unembedding | None = None,
        final_norm: Callable[[Tensor], Tensor] | None = None,
        twin: "States | None" = None,
    ) -> None:
        from transformers import PreTrainedTokenizerBase

        super().__init__()
        prompts = as_prompts("States", "prompts", prompts)
        check_kinds(
            "States",
            states=(states, (Tensor, np.ndarray)),
            name=(name, str),
            tokenizer=(tokenizer, (PreTrainedTokenizerBase, None)),
            unembedding=(unembedding, (Tensor, np.ndarray, None)),
            final_norm=(final_norm, (Callable, None)),
            twin=(twin, (States, None)),
        )
        values = torch.as_tensor(states).detach().float().cpu()
        if values.ndim != 3 or len(values) != len(prompts) or not all(values.shape):
            raise SemanticHubError(
                "States",
                got=f"states of shape {tuple(values.shape)} for {len(prompts)} prompts",
                expected="[item, layer, d_model], an item for each prompt",
                fix="Stack the layers of each prompt, and pass the prompts in the same order.",
            )
        if not values.isfinite().all():
            item, layer, _ = (~values.isfinite()).nonzero()[0].tolist()
            raise SemanticHubError(
                "States",
                got=f"NaN or infinity at layer {layer} of prompt {item}",
                expected="finite states",
                fix="Read them in float32 or bfloat16.",
            )
        self._rows = {prompt: row for row, prompt in enumerate(prompts)}
        if len(self._rows) < len(prompts):
            raise SemanticHubError(
                "States",
                got=f"{len(prompts)} prompts, {len(self._rows)} of them different",
                expected="each prompt once",
                fix="Leave out repeated ones; for another position give the Prompt its position.",
            )
        self.register_buffer("_states", values)
        self.tokenizer, self.blocks = tokenizer, ()
        d_model = values.shape[2]
        self.cfg = SimpleNamespace(
            model_name=name,
            n_layers=values.shape[1] - 1,
            d_model=d_model,
            d_vocab=0 if tokenizer is None else len(tokenizer),
            n_heads=0,
            n_ctx=_LONGEST,
            device="cpu",
            default_prepend_bos=False,
            output_logits_soft_cap=None,
        )
        self.placeholder = Parameter(torch.empty(0), requires_grad=False)
        if final_norm is not None:
            self.ln_final = final_norm
        if unembedding is not None:
            weight = torch.as_tensor(unembedding).detach().float().cpu()
            if weight.ndim != 2 or len(weight) != d_model:
                raise SemanticHubError(
                    "States",
                    got=f"an unembedding of shape {tuple(weight.shape)}",
                    expected=f"[d_model, d_vocab] with d_model = {d_model}",
                    fix="Transpose it: lm_head.weight is [d_vocab, d_model].",
                )
            self.W_U, self.b_U = weight, torch.zeros(weight.shape[1])
            self.cfg.d_vocab = weight.shape[1]
            self.unembed = _Unembed(weight)
        if twin is not None and twin.cfg.n_layers != self.cfg.n_layers:
            raise SemanticHubError(
                "States",
                got=f"a twin of {twin.cfg.n_layers} blocks",
                expected=f"{self.cfg.n_layers}, as the states have",
                fix="Read the same layers in a randomly initialized copy of the model.",
            )
        self.twin = twin

    @classmethod
    def from_file(cls, path: str | Path, prompts: Sequence[PromptLike], **options: Any) -> "States":
        """Read states from a safetensors file.

        Args:
            path: The file, with a tensor ``states`` and, for the lens, ``unembedding``.
            prompts: What was read, in the order of the items.
            options: As for `States`.

        Raises:
            SemanticHubError: No such file or tensor, or one that `States` refuses.

        Example:
            >>> from safetensors.torch import save_file
            >>> save_file({"states": torch.randn(2, 5, 8)}, "states.safetensors")
            >>> States.from_file("states.safetensors", ["dog", "perro"]).cfg.n_layers
            4
        """
        from safetensors.torch import load_file

        with reading(
            "States.from_file",
            path,
            expected="a safetensors file with a tensor 'states'",
            fix="Write it with safetensors.torch.save_file({'states': ...}, path).",
        ) as file:
            tensors = load_file(file)
            states = tensors["states"]
        return cls(prompts, states, **{"unembedding": tensors.get("unembedding"), **options})

    def hold(self, prompts: Sequence[PromptLike]) -> bool:
        """Whether all of some prompts were recorded.

        Args:
            prompts: Text, `Prompt` objects or token ids.

        Example:
            >>> recorded = States(["dog"], torch.ones(1, 3, 4))
            >>> recorded.hold(["dog"]), recorded.hold(["dog", "cat"])
            (True, False)
        """
        return all(as_prompt(prompt) in self._rows for prompt in prompts)

    def get_extra_state(self) -> Any:
        """What these states are of, for ``state_dict``: prompts, and a norm that is no module."""
        return tuple(self._rows), getattr(self, "ln_final", None)

    def set_extra_state(self, state: Any) -> None:
        """Refuse: prompts and states are given together.

        Raises:
            SemanticHubError: Always.
        """
        raise SemanticHubError(
            "States",
            got="a state_dict to load",
            expected="prompts and states, given together",
            fix="Make new States.",
        )

    def read(
        self, prompts: Sequence[PromptLike], layers: Sequence[int]
    ) -> Float[Tensor, "prompt layer d_model"]:
        """The states of prompts that were recorded.

        Args:
            prompts: Among those that these states are of.
            layers: Which layers.

        Raises:
            SemanticHubError: A prompt that was not recorded.
        """
        wanted = [as_prompt(prompt) for prompt in prompts]
        missing = [prompt for prompt in wanted if prompt not in self._rows]
        if missing:
            raise SemanticHubError(
                "States",
                got=f"{missing[0]!r}, with {len(missing)} of {len(wanted)} prompts not recorded",
                expected=f"prompts among the {len(self._rows)} that the states are of",
                fix="Record the states of these too; text, tokens and position must be the same.",
            )
        return self._states[[self._rows[prompt] for prompt in wanted]][:, list(layers)]

    def to_tokens(self, text: str, **_options: Any) -> Tensor:
        """Tokens of a text as the tokenizer writes it by itself."""
        assert self.tokenizer is not None  # `encode` has checked it
        return torch.tensor([self.tokenizer(text)["input_ids"]])

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: there is no model to run.

        Raises:
            SemanticHubError: Always.
        """
        raise SemanticHubError(
            "States",
            got="a forward pass of recorded states",
            expected="a measure of states that are there: similarity, logit_lens",
            fix="Load the model itself for interventions, generation and language mass.",
        )

    hooks = run_with_hooks = run_with_cache = generate = forward
    hook_dict = property(forward)


def holds(model: HookedModel, prompts: Sequence[PromptLike]) -> bool:
    """Whether prompts can be read: by any model that runs, of recorded states those that are there.

    Args:
        model: A model, or `States`.
        prompts: What is to be read.
    """
    return not isinstance(model, States) or model.hold(prompts)


def twin_of(model: HookedModel, seed: int) -> HookedModel | None:
    """The random twin of a model; of recorded states the one that was recorded, None without.

    Args:
        model: A model, or `States`.
        seed: Of the twin's weights.
    """
    return model.twin if isinstance(model, States) else random_twin(model, seed)


class _Unembed(Module):
    """Logits of normed states.

    Args:
        weight: The unembedding.
    """

    def __init__(self, weight: Float[Tensor, "d_model d_vocab"]) -> None:
        super().__init__()
        self.weight = Parameter(weight, requires_grad=False)

    def forward(self, states: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes d_vocab"]:
        """Logits."""
        return states @ self.weight
