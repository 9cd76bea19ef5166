"""The logit lens: residual streams read as next-token distributions through the output head.

Source: Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 2, https://arxiv.org/abs/2411.04986; the
lens itself: nostalgebraist 2020, "interpreting GPT: the logit lens", LessWrong.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch

from semantic_hub.activations.recorded import States
from semantic_hub.errors import as_list, check_kinds
from semantic_hub.lenses.lens import LOGIT, LensLike, covered_layers, resolve_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.whole_words import score_candidates
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Readout
from semantic_hub.prompts.words import Case
from semantic_hub.results.result import manifest
from semantic_hub.statistics.resampling import Resampling


def logit_lens(
    model: HookedModel,
    readouts: Readout | Sequence[Readout],
    *,
    lens: LensLike = LOGIT,
    layers: int | Sequence[int] | None = None,
    cases: Case | Sequence[Case] = (),
    whole_words: bool = True,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> LensResult:
    """Probability of each read-out's candidates as the next token, read at every layer.

    With h_l the residual stream at the read-out position, N the norm and U the model's own
    unembedding (bias and soft cap included),

        log p_l(v) = U N(h_l) [v] − log Σ_w exp U N(h_l) [w]

    A word has the probability of all its spellings that can stand after the prompt (see
    `semantic_hub.prompts.words`), and a group of candidates that of its likeliest word, as in the
    paper, where the hub's candidates are all translations of a word. A word that the tokenizer
    splits counts in full: its first token as the lens reads it, and the rest as the model itself
    goes on from there (see `semantic_hub.lenses.whole_words`). Only the candidates' columns are
    kept: the logits of the whole vocabulary exist for one block of states at a time.

    Args:
        model: A decoder.
        readouts: One read-out, or several that name the same groups of candidates; each is read at
            its prompt's ``position``, the last one by default.
        lens: ``"logit"``: the model's own final norm and unembedding at every layer, so that the
            last layer is the model's prediction. ``"raw"``: without the norm. ``"paper"``: without
            it below the last layer and with it there, as the paper's code reads states. A
            `semantic_hub.lenses.lens.Lens`: what it returns goes through the final norm and the
            unembedding. Or the name of a lens that `register_lens` added.
        layers: Which layers, 0..n_layers; None for all that the lens covers.
        cases: Case variants of the candidates to add, such as ``(str.capitalize,)``.
        whole_words: Score a word of several tokens in full, so that words that begin alike are
            told apart; one of the controls must then be split as the hub's words are, see
            ``docs/calibration.md``. False: by the first tokens of its spellings alone, as the
            paper does, and a read-out is dropped where another candidate begins with them. Words of
            one token score the same. Recorded `States`, from which nothing can go on, are read by
            first tokens.
        batch_size: Prompts per forward pass.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        Log-probabilities and ranks of all groups at all layers, how they were scored, and how many
        read-outs were dropped for which reason (see `semantic_hub.prompts.words.candidate_tokens`).

    Raises:
        SemanticHubError: A model without a tokenizer or an unembedding, no such lens, read-outs
            that name different groups, not one read-out with usable tokens, a layer or position
            out of range, NaN or infinity in the stream.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.prompts.prompt import Prompt, Readout
        >>> readout = Readout(Prompt("the dog is"), {"en": ("black",), "es": ("negro",)})
        >>> result = sh.logit_lens(sh.load_model("hub-mini"), [readout])
        >>> result.groups, result.log_prob.shape[0]
        (('en', 'es'), 1)
    """
    check_decoder(model, "logit_lens")
    readouts = as_list("logit_lens", "readouts", readouts, Readout)
    cases = as_list("logit_lens", "cases", cases, Callable)
    check_kinds("logit_lens", whole_words=(whole_words, bool), resampling=(resampling, Resampling))
    lens = resolve_lens(model, lens, "logit_lens")
    layers = covered_layers(model, lens, layers, "logit_lens")
    candidates, log_prob, rank = score_candidates(
        model,
        readouts,
        layers,
        lens=lens,
        cases=cases,
        whole_words=whole_words,
        batch_size=batch_size,
    )
    return LensResult(
        n_layers=model.cfg.n_layers,
        layers=tuple(layers),
        groups=candidates.groups,
        kept=candidates.kept,
        dropped=dict(candidates.dropped),
        log_prob=log_prob,
        rank=rank,
        first_token_only=torch.tensor(candidates.first_token_only),
        n_tokens=torch.tensor(candidates.n_tokens),
        resampling=resampling,
        manifest=manifest(
            model,
            measure="logit_lens",
            **lens.record(),
            cases=[getattr(case, "__name__", type(case).__name__) for case in cases],
            whole_words=whole_words and not isinstance(model, States),
            n_readouts=len(readouts),
            dropped=dict(candidates.dropped),
            resampling=resampling,
        ),
    )
