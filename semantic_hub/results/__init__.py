"""What is kept?

`result` has the base class of results: arrays with named axes and units, a manifest that says where
they come from, and what comparisons, verdicts and the report make of them. `files` writes records
and folders to disk and reads them back: replaced in one step, with digests.
"""

from semantic_hub.results.files import (
    check_writable,
    read_folder,
    read_record,
    replacing_folder,
    to_json,
    write_atomically,
    write_record,
)
from semantic_hub.results.result import (
    RESULTS,
    Counts,
    EffectCurve,
    Family,
    Highest,
    Result,
    manifest,
)

__all__ = [
    "RESULTS",
    "Counts",
    "EffectCurve",
    "Family",
    "Highest",
    "Result",
    "check_writable",
    "manifest",
    "read_folder",
    "read_record",
    "replacing_folder",
    "to_json",
    "write_atomically",
    "write_record",
]
