# %% [markdown]
# # Steer a Spanish text with English words
# Lists of bad things in Spanish go on while h("good") − h("bad"), made from *English* words, is
# added at every position. Does the mood turn? Does the text stay Spanish?

# %%
import re

import semantic_hub as sh
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.spec import ActivationContrast, TextSteering
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.spokes.language.share import language_share

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %% [markdown]
# ## One text
# `steer` is a context: whatever runs inside it is steered, generation with a key-value cache too.

# %%
model = sh.load_model(MODEL)
direction = sh.activation_difference(model, "good", "bad", layer=2)
prompt = "malo, triste,"
print("unsteered:", model.generate(prompt, max_new_tokens=8, do_sample=False, verbose=False))
with sh.steer(model, direction, strength=2.0, positions="all"):
    print("steered:  ", model.generate(prompt, max_new_tokens=8, do_sample=False, verbose=False))

# %% [markdown]
# ## An experiment
# A scorer is any function from generations to numbers, NaN for a text that has none. On real models
# `sh.spokes.language.sentiment_steering` has the paper's words and openings, and
# `semantic_hub.interventions.text.scorers` classifiers for sentiment and relevance.

# %%
MOOD = {
    "bueno": 1,
    "feliz": 1,
    "good": 1,
    "happy": 1,
    "malo": -1,
    "triste": -1,
    "bad": -1,
    "sad": -1,
}


def mood(generations):
    said = ([MOOD[w] for w in re.findall(r"\w+", g.text) if w in MOOD] for g in generations)
    return [sum(moods) / len(moods) if moods else float("nan") for moods in said]


experiment = TextSteering(
    prompts=tuple(map(sh.Prompt, ("malo, triste,", "triste, malo,", "malo,", "triste,"))),
    contrasts={"English": ActivationContrast((sh.Prompt("good"),), (sh.Prompt("bad"),))},
    scorers={"mood": mood, "Spanish": language_share("es")},
    depths=(0.25, 0.5),
    strengths=(1.0, 2.0),
    sampling=Sampling(max_new_tokens=8, seeds=(0, 1)),
)
result = intervene(model, experiment)
changes = result.to_frame().query("measure == 'change' and strength == 1")
columns = ["scorer", "direction", "layer", "value", "low", "high", "n"]
print(changes[columns].round(2).to_string(index=False))
figure = result.layer_figure("mood")  # figure.show() in a notebook
