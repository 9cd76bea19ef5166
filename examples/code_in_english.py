# %% [markdown]
# # Does a model read code in English?
# A list has no word *and* in it, a call does not name its parameters, and `range(9)` does not say
# where it starts. Read and write these words in the middle of the model.

# %%
import semantic_hub as sh
from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.lenses.figures import item_map
from semantic_hub.spokes import code

MODEL = "hub-mini"

# %% real model
# MODEL = "meta-llama/Llama-3.2-1B"

# %%
model = sh.load_model(MODEL)

# %% [markdown]
# ## Programs
# Your own: `code.programs_from_folder("src")` or `code.programs_from_jsonl("mbpp.jsonl")`; those of
# Python itself: `code.standard_library_functions(500)`. These few are of the small model's world.

# %%
people, animals = ("Anna", "Peter", "Emma", "David"), ("dog", "cat", "horse", "bird")
numbers = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
sees = "def sees(person, animal): pass"
programs = [
    *(
        code.Program(f'{sees}\nsees("{who}", "{whom}")', f"{who} sees the {whom}.", source="calls")
        for who in people
        for whom in animals
    ),
    *(
        code.Program(f'["{one}", "{two}"]', f"{one} and {two}.", source="lists")
        for one in animals
        for two in animals
        if one != two
    ),
    *(
        code.Program(f"# end {word}.\nfor i in range({n}): print(i)", source="counting")
        for n, word in enumerate(numbers, start=2)
    ),
]
spoke = code.CodeSpoke(programs)

# %% [markdown]
# ## Similarity
# A program and what it does, against what another program of the same kind does.

# %%
alike = sh.similarity(model, spoke.pairs()["program, description"])
print(alike.to_frame().query("measure == 'AUC'").round(3).to_string(index=False))

# %% [markdown]
# ## Lens
# The name of a parameter against what is written in its place. Read-outs that no token ends at are
# dropped and counted.

# %%
before = spoke.readouts()["call, before an argument"]
lens = sh.logit_lens(model, before)
print(lens.dropped)
shares = lens.to_frame().query("measure == 'share' and against == 'surface'")
print(shares.round(2).to_string(index=False))
names = [readout.candidates["hub"][0] for readout in before]
figure = item_map(lens, labels=names, title="Role or argument?")  # figure.show() in a notebook

# %% [markdown]
# ## Steering
# At `range(`, from *end* towards *start*. Only prompts that the model itself completes with one
# argument count.

# %%
try:
    swept = intervene(model, spoke.interventions()["range("])
    print(swept.to_frame().query("strength == 1 and layer == 4").round(2).to_string(index=False))
except NothingLeftError as nothing:  # this model completes none of them with one argument
    print(nothing)
