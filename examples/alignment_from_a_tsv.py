# %% [markdown]
# # Alignment of two languages from a file of your own
# A tab-separated file with one column a language. JSON Lines (`Pairs.from_jsonl`) and `datasets`
# (`Pairs.from_dataset`) work the same way.

# %%
import tempfile
from pathlib import Path

import semantic_hub as sh

MODEL = "hub-mini"

# %% real model
# MODEL = "Qwen/Qwen2.5-0.5B"

# %%
table = Path(tempfile.mkdtemp()) / "pairs.tsv"
table.write_text(
    "en\tru\nthe dog\tсобака\nthe house\tдом\nthe garden\tсад\nthe book\tкнига\nthe sun\tсолнце\n",
    encoding="utf-8",
)
pairs = sh.Pairs.from_tsv(table, x="en", y="ru")

# %% [markdown]
# The AUC is how often a match beats a mismatch, with an interval over pairs. The random twin has
# the architecture and fresh weights: what it shows, no training made.

# %%
model = sh.load_model(MODEL)
twin = {"random twin": sh.random_twin(model)}
result = sh.similarity(model, pairs, positions="mean", controls=twin)
print(result.to_frame().round(3).to_string(index=False))
figure = result.figure()  # figure.show() in a notebook

# %% [markdown]
# The same mathematics on arrays from anywhere, shape `[pair, layer, d_model]`:

# %%
x = sh.residual_stream(model, pairs.x, positions="mean")
y = sh.residual_stream(model, pairs.y, positions="mean")
print(sh.paired_similarity(x, y))
