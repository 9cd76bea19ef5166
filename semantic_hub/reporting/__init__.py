"""What does a reader see?

`document` measures all spokes for one page, `comparison` shows several runs side by side, `storage`
saves a report's numbers. `sections` and `causal` turn results into rows and figures, `cautions`
lists reasons not to trust them, `defaults` chooses the spokes; `render` fills the `templates`,
`export` writes tables and figures for a paper.
"""

from semantic_hub.reporting.comparison import Comparison, compare
from semantic_hub.reporting.defaults import default_spokes
from semantic_hub.reporting.document import Report, report

__all__ = ["Comparison", "Report", "compare", "default_spokes", "report"]
