# %% [markdown]
# # Which language does layer k speak?
# While a model reads Spanish, French, Russian or Chinese: how much of the next-token probability at
# each layer is in words of which language, read through the lens? Tokens of several languages are a
# part of their own (`shared`), so nothing is counted twice.

# %%
import semantic_hub as sh
from semantic_hub.lenses.mass.texts import LanguageTexts, mass_of_texts
from semantic_hub.lenses.per_token import token_lens

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %%
model = sh.load_model(MODEL)
codes = ("en", "es", "fr", "ru", "zh")
written = {
    "es": ["perro: color negro, lugar jardín.", "Ana ve el perro."],
    "ru": ["собака: цвет чёрный, место сад.", "Анна видит собаку."],
}

# %%
for code, texts in written.items():
    mass = mass_of_texts(
        model, LanguageTexts.of(texts, code, codes), resampling=sh.Resampling(resamples=200)
    )
    parts = mass.to_frame().pivot_table(index="group", columns="layer", values="value")
    print(code, parts.round(2).to_string(), sep="\n")
    figure = mass.figure()  # figure.show() in a notebook: a stacked area over layers

# %% [markdown]
# One text, word for word: the top token of every layer at every position. Hover for the five
# likeliest; the surface word and the English one are marked.

# %%
grid = token_lens(model, "perro: color", k=5, candidates={"surface": ("negro",), "hub": ("black",)})
figure = grid.figure()
print(grid.to_frame().query("rank == 1").tail(9).to_string(index=False))
