# %% [markdown]
# # Alignment of two languages from a file of your own
# A tab-separated file with one column a language. JSON Lines (`Pairs.from_jsonl`) and `datasets`
# (`Pairs.from_dataset`) work the same way.

# %%
import tempfile
from pathlib import Path

import semantic_hub as sh

table = Path(tempfile.mkdtemp()) / "pairs.tsv"
table.write_text(
    "en\tru\nthe dog\tсобака\nthe house\tдом\nthe garden\tсад\nthe book\tкнига\nthe sun\tсолнце\n",
    encoding="utf-8",
)

# %%
model = sh.load_model("hub-mini")  # real model: sh.load_model("Qwen/Qwen2.5-0.5B")
pairs = sh.Pairs.from_tsv(table, x="en", y="ru")
result = sh.similarity(model, pairs, positions="mean")
print(result.to_frame().round(3).to_string(index=False))

# %% [markdown]
# The same mathematics on arrays from anywhere, shape `[pair, layer, d_model]`:

# %%
x = sh.residual_stream(model, pairs.x, positions="mean")
y = sh.residual_stream(model, pairs.y, positions="mean")
print(sh.paired_similarity(x, y))
