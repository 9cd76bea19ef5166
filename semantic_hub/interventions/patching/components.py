"""Components that can be patched: their hooks, and a test that they add up to the stream."""

import weakref
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, Overwrite, Overwrites, capture
from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.prompts.prompt import Encoding

Component = Literal["resid", "attn", "mlp", "head"]
"""The residual stream, what attention or the MLP adds to it, or one head's share of attention."""

_N_PROBE_TOKENS = 6
_TOLERANCE = 0.02
"""Largest error, as a share of what a block adds; a wrong hook is off by about all of that."""

_checked: "weakref.WeakKeyDictionary[Any, set[str]]" = weakref.WeakKeyDictionary()
"""Components of each model that were tested and add up."""


def component_hook(component: Component, layer: int) -> str:
    """Name of a component's hook at a layer; layer k of attention, MLP and heads is block k − 1.

    Args:
        component: The component.
        layer: 0 (``"resid"`` alone) to n_layers.

    Example:
        >>> component_hook("resid", 3), component_hook("attn", 3)
        ('blocks.2.hook_resid_post', 'blocks.2.hook_attn_out')
    """
    if component == "resid":
        return layer_hook(layer)
    name = "attn.hook_z" if component == "head" else f"hook_{component}_out"
    return f"blocks.{layer - 1}.{name}"


def check_component(model: HookedModel, component: Component) -> Component:
    """Check that a component's hooks add up to the stream on this model; return the component.

    On some architectures a hook of that name is not what the block adds to the stream (it comes
    before a norm or a factor, or includes the stream itself). So the identity is tested on a few
    tokens, once for each model:

    - ``"attn"`` and ``"mlp"``: stream after a block = stream before it + attention + MLP;
    - ``"head"``: this, and where all heads' outputs are set to 0, the attention's output is the
      same at all positions (its bias).

    Args:
        model: The model.
        component: The component.

    Raises:
        SemanticHubError: Another component, or hooks that do not add up.
    """
    check_choice("patch", "component", component, get_args(Component))
    if component != "resid" and component not in _checked.setdefault(model, set()):
        _check_sums(model)
        if component == "head":
            _check_heads(model)
        _checked[model].add(component)
    return component


def _check_sums(model: HookedModel) -> None:
    """Raise unless stream before + attention + MLP = stream after, in every block."""
    names: tuple[Component, ...] = ("attn",) if model.cfg.attn_only else ("attn", "mlp")
    activations = _probe(model, ("resid", *names))
    for layer in range(1, model.cfg.n_layers + 1):
        after = activations[layer_hook(layer)]
        added = after - activations[layer_hook(layer - 1)]
        gap = added - sum(activations[component_hook(name, layer)] for name in names)
        largest, step = added.abs().amax(dim=-1), torch.finfo(first_parameter(model).dtype).eps
        allowed = _TOLERANCE * largest + 8 * step * after.abs().amax(dim=-1)
        if (gap.abs().amax(dim=-1) > allowed).any():
            raise _unsound(
                f"hook_attn_out and hook_mlp_out of block {layer - 1} that miss what the block "
                f"adds to the stream by {gap.abs().max():.2g} (it adds up to {largest.max():.2g})"
            )


def _check_heads(model: HookedModel) -> None:
    """Raise unless attention without its heads gives the same at all positions."""
    shape = (_N_PROBE_TOKENS, model.cfg.n_heads, model.cfg.d_head)
    nothing = Overwrite(tuple(range(_N_PROBE_TOKENS)), torch.zeros(shape, dtype=torch.float32))
    layers = range(1, model.cfg.n_layers + 1)
    silenced = {component_hook("head", layer): lambda prompt: nothing for layer in layers}
    outputs = _probe(model, ("attn",), silenced)
    for layer in layers:
        output = outputs[component_hook("attn", layer)]
        gap, size = (output - output[:1]).abs().max(), output.abs().max()
        if gap > _TOLERANCE * size:
            raise _unsound(
                f"attention of block {layer - 1} that goes on without its heads (hook_z at 0)"
            )


def _probe(
    model: HookedModel, components: tuple[Component, ...], overwrites: Overwrites | None = None
) -> dict[str, Float[Tensor, "position ..."]]:
    """Activations of all layers on a few different tokens."""
    n_layers = model.cfg.n_layers
    activations: dict[str, Tensor] = {}
    hooks = [component_hook(c, k) for c in components for k in range(c != "resid", n_layers + 1)]
    tokens = tuple(
        i * (model.cfg.d_vocab - 1) // (_N_PROBE_TOKENS - 1) for i in range(_N_PROBE_TOKENS)
    )
    encoding = Encoding(tokens, slice(0, _N_PROBE_TOKENS))

    def keep(captured: Captured) -> None:
        activations.update({name: value.cpu() for name, value in captured.values.items()})

    capture(
        model,
        [encoding],
        [range(_N_PROBE_TOKENS)],
        hooks,
        keep,
        last_layer=n_layers,
        overwrites=overwrites,
    )
    missing = [name for name in hooks if name not in activations]
    if missing:
        raise _unsound(f"no hook {missing[0]}")
    return activations


def _unsound(got: str) -> SemanticHubError:
    """Error for a model whose hooks do not add up."""
    return SemanticHubError(
        "patch",
        got=got,
        expected="hooks that hold what attention and MLP add to the residual stream",
        fix='This architecture does not have them: patch component="resid".',
    )
