"""The parts of the residual stream that can be patched: where they are, and whether they add up."""

import weakref
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, Overwrite, Overwrites, capture
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.prompts.prompt import Encoding

Component = Literal["resid", "attn", "mlp", "head"]
"""The residual stream, what attention or the MLP adds to it, or one head's share of attention."""

_PROBE = 6
_TOLERANCE = 0.02  # of what a block adds; a wrong identity is off by about as much as that

_sound: "weakref.WeakKeyDictionary[Any, set[str]]" = weakref.WeakKeyDictionary()


def component_hook(component: Component, layer: int) -> str:
    """The hook of a component; the attention, MLP and heads of layer k are those of block k.

    Example:
        >>> component_hook("resid", 3), component_hook("attn", 3)
        ('blocks.2.hook_resid_post', 'blocks.2.hook_attn_out')
    """
    if component == "resid":
        return layer_hook(layer)
    name = "attn.hook_z" if component == "head" else f"hook_{component}_out"
    return f"blocks.{layer - 1}.{name}"


def check_component(model: HookedModel, component: Component) -> Component:
    """The component itself, if this model's hooks hold what it stands for.

    On some architectures a hook of that name is not what the block adds to the stream (it comes
    before a norm or a factor, or includes the stream itself). So the identity is tested on a few
    tokens, once for each model:

    - ``"attn"`` and ``"mlp"``: stream after a block = stream before it + attention + MLP;
    - ``"head"``: this, and where all heads' outputs are set to 0, the attention's output is the
      same at all positions (its bias).

    Raises:
        SemanticHubError: Another component, or hooks that do not add up.
    """
    known = get_args(Component)
    if component not in known:
        raise SemanticHubError(
            "patch",
            got=f"component={component!r}",
            expected=f"one of {', '.join(map(repr, known))}",
            fix='Leave it at "resid".',
        )
    if component != "resid" and component not in _sound.setdefault(model, set()):
        _check_sums(model)
        if component == "head":
            _check_heads(model)
        _sound[model].add(component)
    return component


def _check_sums(model: HookedModel) -> None:
    names: tuple[Component, ...] = ("attn",) if model.cfg.attn_only else ("attn", "mlp")
    found = _probe(model, ("resid", *names))
    for layer in range(1, model.cfg.n_layers + 1):
        after = found[layer_hook(layer)]
        added = after - found[layer_hook(layer - 1)]
        gap = added - sum(found[component_hook(name, layer)] for name in names)
        largest, step = added.abs().amax(dim=-1), torch.finfo(first_parameter(model).dtype).eps
        allowed = _TOLERANCE * largest + 8 * step * after.abs().amax(dim=-1)
        if (gap.abs().amax(dim=-1) > allowed).any():
            raise _unsound(
                f"hook_attn_out and hook_mlp_out of block {layer - 1} that miss what the block "
                f"adds to the stream by {gap.abs().max():.2g} (it adds up to {largest.max():.2g})"
            )


def _check_heads(model: HookedModel) -> None:
    shape = (_PROBE, model.cfg.n_heads, model.cfg.d_head)
    nothing = Overwrite(tuple(range(_PROBE)), torch.zeros(shape))
    layers = range(1, model.cfg.n_layers + 1)
    silenced = {component_hook("head", layer): lambda prompt: nothing for layer in layers}
    found = _probe(model, ("attn",), silenced)
    for layer in layers:
        output = found[component_hook("attn", layer)]
        gap, size = (output - output[:1]).abs().max(), output.abs().max()
        if gap > _TOLERANCE * size:
            raise _unsound(
                f"attention of block {layer - 1} that goes on without its heads (hook_z at 0)"
            )


def _probe(
    model: HookedModel, components: tuple[Component, ...], overwrites: Overwrites | None = None
) -> dict[str, Float[Tensor, "position ..."]]:
    """Activations of all layers on a few different tokens."""
    n_layers, found = model.cfg.n_layers, {}
    hooks = [component_hook(c, k) for c in components for k in range(c != "resid", n_layers + 1)]
    tokens = tuple(i * (model.cfg.d_vocab - 1) // (_PROBE - 1) for i in range(_PROBE))
    encoding = Encoding(tokens, slice(0, _PROBE))

    def keep(captured: Captured) -> None:
        found.update({name: value.cpu() for name, value in captured.values.items()})

    capture(
        model, [encoding], [range(_PROBE)], hooks, keep, last_layer=n_layers, overwrites=overwrites
    )
    missing = [name for name in hooks if name not in found]
    if missing:
        raise _unsound(f"no hook {missing[0]}")
    return found


def _unsound(got: str) -> SemanticHubError:
    return SemanticHubError(
        "patch",
        got=got,
        expected="hooks that hold what attention and MLP add to the residual stream",
        fix='This architecture does not have them: patch component="resid".',
    )
