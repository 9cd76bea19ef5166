# %% [markdown]
# # On the way from a sum to its answer
# The paper's picture of arithmetic: the states of prompts, layer by layer, in a plane with the
# unembeddings of their answers. Do digits pass the English word on their way to the digit?

# %%
import semantic_hub as sh
from semantic_hub.lenses.trajectory import trajectories
from semantic_hub.spokes.lexicon.numbers import number_word

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %%
model = sh.load_model(MODEL)
answers = ("2", "5", "8")
sums = sh.spokes.arithmetic.problems("+")
asked = {
    answer: [problem.question("digits") for problem in sums if str(problem.right) == answer][:20]
    for answer in answers
}
words = tuple(number_word(int(answer), "en") for answer in answers)
paths = trajectories(model, asked, anchors=(*answers, *words))

# %% [markdown]
# The plane shows but a part of the states' variance: read it as a lead, and test it with the lens.

# %%
print(paths.to_frame().round(2).head(12).to_string(index=False))
print(f"share of the states' variance in this plane: {paths.captured:.2f}")
figure = paths.figure()  # figure.show() in a notebook
