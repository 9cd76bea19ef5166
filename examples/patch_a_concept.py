# %% [markdown]
# # Patch a concept across languages
# The state in which a Spanish question is answered, put into a French one: does the model answer
# the Spanish question, in French? Then what is patched is a concept, not a word.

# %%
import semantic_hub as sh
from semantic_hub.interventions.steering.contrasts import paired_differences

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %% [markdown]
# ## One pair of questions
# `9 = 6 + 3` in Spanish into `5 = 1 + 4` in French. Answers: *trois*, the source's concept in the
# base's language, and *quatre*, the base's own.

# %%
model = sh.load_model(MODEL)
moved = sh.patch(
    model,
    "nueve es igual a seis más",
    "cinq égale un plus",
    reference="neuf égale six plus",
    answers=("trois", "quatre"),
)
print(moved.to_frame().query("measure == 'top1'").round(2).to_string(index=False))

# %% [markdown]
# ## Many, with controls
# The placebo is a random state of the same length; another source should bring another answer.

# %%
problems = sh.spokes.arithmetic.problems("+")[200:800:20]
swept = sh.patching_sweep(model, sh.spokes.arithmetic.patch_pairs(("es",), "fr", problems))
top1 = swept.to_frame().query("measure == 'top1' and answer == 'source'")
print(top1.round(2).to_string(index=False))
figure = swept.figure("top1")  # figure.show() in a notebook

# %% [markdown]
# ## A step of the answer, made in English, added to digits
# At `15=7+` the model says 8. Add h("fifteen equals eight plus") − h("fifteen equals seven plus"),
# and it should say 7.

# %%
experiment = sh.spokes.arithmetic.steering(problems)
words = experiment.contrasts["words"]
directions = paired_differences(model, words.plus, words.minus)
layers = [model.cfg.n_layers // 2, model.cfg.n_layers - 1]
steered = sh.steering_sweep(
    model,
    experiment.prompts,
    directions,
    experiment.outcome,
    layers=layers,
    strengths=[0.5, 1, 1.5],
)
success = steered.to_frame().query("outcome == 'success' and layer == @layers[1]")
print(success.round(2).to_string(index=False))
figure = steered.figure(layer=layers[1])
