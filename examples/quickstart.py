# %% [markdown]
# # Quick start with the model that you have
# Does it share a space across languages and notations, what does each layer say, and does the model
# use it? Everything here takes a `HookedTransformer` or a `TransformerBridge`.

# %%
import semantic_hub as sh

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %% [markdown]
# `load_model` gives unprocessed weights. Your own object does as well, such as
# `HookedTransformer.from_pretrained_no_processing("gpt2")`: weights that TransformerLens has folded
# or centred change every cosine, and results say so.

# %%
model = sh.load_model(MODEL)
print(type(model).__name__, model.cfg.n_layers, "layers of width", model.cfg.d_model)

# %% [markdown]
# ## Evidence 1: similarity of pairs that mean the same, layer by layer

# %%
few = sh.spokes.arithmetic.problems("+")[::8]
pairs = sh.spokes.arithmetic.pairs("en", "es", few)
alignment = sh.similarity(model, pairs, controls={"random twin": sh.random_twin(model)})
print(alignment.to_frame().query("measure == 'AUC'").round(3).to_string(index=False))
figure = alignment.figure()  # figure.show() in a notebook

# %% [markdown]
# ## Evidence 2: what the stream says at each layer
# At `c=a+` the next token is a digit. Is the English word likelier on the way there?

# %%
lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts(items=few))
share = lens.to_frame().query("measure == 'share' and group == 'hub'")
print(share.round(3).to_string(index=False))
figure = lens.figure("share", group="hub")

# %% [markdown]
# ## Evidence 3: does the model use it?
# The last position of a Spanish sum into a French one: which answer, in which language?

# %%
moved = sh.patching_sweep(model, sh.spokes.arithmetic.patch_pairs(("es",), "fr", few))
top1 = moved.to_frame().query("measure == 'top1' and answer == 'source'")
print(top1[["row", "layer", "value", "low", "high"]].round(2).to_string(index=False))
figure = moved.figure("top1")

# %% [markdown]
# ## All of it, with every control, on one page

# %%
spoke = sh.spokes.arithmetic.ArithmeticSpoke(items=few[::8], at_most=10)
page = sh.report(model, [spoke], resampling=sh.Resampling(resamples=200), permutations=200)
print(page.verdicts.to_frame().to_string(index=False))  # page.save("report.html")
