"""What does all the evidence on one data type say?

`spoke` is the base class of data types, `runner` measures one on a model, set by set into a
`run_folder` if one is named, `findings` holds and saves the results. `recording` lists the prompts
whose states are to be read elsewhere, `verdict` judges whether results support the hub, `across`
compares the forms of several spokes.
"""

from semantic_hub.experiment.across import compare_concepts
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.recording import prompts_to_record
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.experiment.verdict.result import Verdicts

__all__ = [
    "Findings",
    "Spoke",
    "Verdicts",
    "compare_concepts",
    "prompts_to_record",
    "run",
    "verdicts",
]
