# %% [markdown]
# # Compare two checkpoints
# The same data on two models, side by side over relative depth: here the trained model and the same
# architecture with fresh weights. Two steps of one training work the same way, as do two sizes.

# %%
import tempfile
from pathlib import Path

import semantic_hub as sh
from semantic_hub.reporting.comparison import compare
from semantic_hub.reporting.document import Report

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %% [markdown]
# ## What is measured
# Any spokes; this one has sums in English and Spanish words, and what follows `c=a+` in digits.


# %%
class Sums(sh.Spoke):
    """Sums that mean the same, and read-outs before their answers."""

    name = "sums"
    items = sh.spokes.arithmetic.problems("+")[::4]

    def pairs(self):
        return {"en – es": sh.spokes.arithmetic.pairs("en", "es", self.items)}

    def readouts(self):
        return {"digits": sh.spokes.arithmetic.readouts(items=self.items)}


model = sh.load_model(MODEL)
models = {"trained": model, "untrained": sh.random_twin(model)}
reports = {
    name: sh.report(each, [Sums()], resampling=sh.Resampling(resamples=200), permutations=200)
    for name, each in models.items()
}
both = compare(reports)

# %% [markdown]
# One line for each model, spoke and kind of evidence; then every curve.

# %%
print(both.verdicts_frame()[["model", "spoke", "evidence", "verdict"]].to_string(index=False))
figure = both.figure("sums", "similarity")  # figure.show() in a notebook

# %% [markdown]
# A report is a folder of numbers too. From the shell two folders, or two models, make such a page:
# `semantic-hub compare runs/step1000 runs/step9000 --out compare.html`.

# %%
folder = Path(tempfile.mkdtemp())
reports["trained"].save_findings(folder / "trained")
again = Report.load(folder / "trained")
print(both.save(folder / "compare.html").name, again.manifest["model"]["name"])
