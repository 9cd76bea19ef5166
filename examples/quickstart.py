# %% [markdown]
# # Does this model share a space across languages and notations?
# Everything works on a model that you already have: a `HookedTransformer` or a
# `TransformerBridge`. `load_model` gives one with unprocessed weights.

# %%
import semantic_hub as sh

model = sh.load_model("hub-mini")  # real model: sh.load_model("meta-llama/Llama-2-7b-hf")

# %% [markdown]
# ## Evidence 1: similarity of pairs that mean the same, layer by layer

# %%
pairs = sh.spokes.arithmetic.pairs("en", "es", sh.spokes.arithmetic.problems("+")[::8])
alignment = sh.similarity(model, pairs, controls={"random twin": sh.random_twin(model)})
print(alignment.to_frame().query("measure == 'similarity'").round(3).to_string(index=False))

# %%
figure = alignment.figure()  # figure.show() in a notebook

# %% [markdown]
# ## Evidence 2: what the stream says at each layer
# At `c=a+` the next token is a digit. Is the English word likelier on the way there?

# %%
readouts = sh.spokes.arithmetic.readouts(items=sh.spokes.arithmetic.problems("+")[::8])
lens = sh.logit_lens(model, readouts)
print(
    lens.to_frame().query("measure == 'share' and group == 'hub'").round(3).to_string(index=False)
)

# %%
figure = lens.figure("share", group="hub")
