# %% [markdown]
# # Who did what to whom?
# Sentences and logical forms in the style of COGS: are they alike, does the model think of roles
# before it names anyone, and does it use them?

# %%
import semantic_hub as sh
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.lenses.label_matrix import LabelMatrix
from semantic_hub.spokes import semantics

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %%
model = sh.load_model(MODEL)
examples = semantics.examples(120)  # or semantics.read_cogs("train.tsv")
print(examples[0].sentence, "|", examples[0].form)

# %% [markdown]
# ## Similarity
# A hard negative is the same form with the two names exchanged.

# %%
two = semantics.with_two_names(examples)
alike = sh.similarity(
    model,
    semantics.pairs(two, shuffle=True),
    controls={"names exchanged": semantics.hard_negatives(two, shuffle=True)},
    permutations=200,
)
rows = alike.to_frame().query("measure == 'AUC' and layer % 2 == 0")
print(rows.round(3).to_string(index=False))

# %% [markdown]
# ## Lens
# At the token before a name: the role that the name will have, against the other roles. Names are
# shuffled, so that a name cannot give its role away.

# %%
reads = semantics.readouts([e for e in semantics.shuffled_names(examples) if e.names])
lens = sh.logit_lens(model, reads.readouts)
print(len(lens.kept), "read-outs kept; dropped:", {**reads.dropped, **lens.dropped})

matrix = LabelMatrix.from_lens(lens, reads.readouts, reads.roles)
print(matrix.to_frame().query("gold == read and layer % 2 == 0").round(4).to_string(index=False))
figure = matrix.figure()  # figure.show() in a notebook

# %% [markdown]
# ## Steering
# "Anna helped Peter . Who helped ?" Add the direction from theme to agent at "Peter": is the
# answer "Peter" now? The placebos are random, of the same length.

# %%
asked = semantics.steering(semantics.transitive_events(24), words=False)
print(asked.prompts[0].text)
swept = intervene(model, asked)
success = swept.to_frame().query("outcome == 'success' and strength == 1 and layer % 2 == 0")
print(success.round(2).to_string(index=False))
figure = swept.figure()
