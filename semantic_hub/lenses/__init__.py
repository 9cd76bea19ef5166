"""Evidence 2: what does a layer say?

`lens` has the base class of lenses and their registry; `logit` reads candidates through a lens,
`topk` the top tokens, `per_token` one prompt at every token, `whole_words` words of several tokens.
`translators` are tuned, fitted and Jacobian lenses, `comparison` reads the same through several
lenses. `mass` is the probability of whole languages, `trajectory` the path of mean states among
unembeddings, `label_matrix` gold labels against read ones.
"""

from semantic_hub.lenses.comparison import LensComparison, read_through
from semantic_hub.lenses.lens import LENSES, Lens, register_lens
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.mass.texts import LanguageTexts
from semantic_hub.lenses.per_token import TokenLens, token_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.token_scores import TokenScores, lens_scores
from semantic_hub.lenses.topk import TopTokens, top_tokens
from semantic_hub.lenses.trajectory import trajectories
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.lenses.translators.fitted import fit_affine_lens
from semantic_hub.lenses.translators.jacobian import jacobian_lens
from semantic_hub.lenses.translators.tuned import tuned_lens

__all__ = [
    "LENSES",
    "AffineLens",
    "LanguageMassResult",
    "LanguageTexts",
    "Lens",
    "LensComparison",
    "LensResult",
    "TokenLens",
    "TokenScores",
    "TopTokens",
    "fit_affine_lens",
    "jacobian_lens",
    "language_mass",
    "lens_scores",
    "logit_lens",
    "read_through",
    "register_lens",
    "token_lens",
    "top_tokens",
    "trajectories",
    "tuned_lens",
]
