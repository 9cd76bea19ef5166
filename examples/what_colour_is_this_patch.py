# %% [markdown]
# # What colour is this patch?
# Pictures enter a language model as soft tokens, one for each patch. Do their positions name the
# colour that is seen there, and does the model use that name? Pictures are drawn; your own come
# from `read_pictures`, `coco_captions` and `coco_panoptic`.

# %%
import semantic_hub as sh
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.spokes import vision
from semantic_hub.spokes.vision.figures import picture_words

MODEL = "hub-mini"

# %% real model
# MODEL = "llava-hf/llava-1.5-7b-hf"

# %% [markdown]
# ## A model and its eye
# `encode` makes features of an image, one row a patch; the model reads them in the place of tokens.
# hub-mini's eye is a linear map that was trained on pictures of other seeds.

# %%
model, encode = sh.load_multimodal(MODEL)
wording = vision.Wording() if MODEL == "hub-mini" else vision.PLAIN
spoke = vision.VisionSpoke(encode, vision.drawn_pictures(per_kind=22), wording=wording)

# %% [markdown]
# ## Pictures against captions
# Unseen pictures, alone, and in front of the same question as their captions. The AUC
# is how often the right caption beats another.

# %%
for name in ("halves", "halves, asked"):
    alike = sh.similarity(
        model, spoke.pairs()[name], resampling=sh.Resampling(resamples=200), permutations=200
    )
    print(name, [round(value, 2) for value in alike.auc.value.tolist()])

# %% [markdown]
# ## Words at patches
# How often the top token of a patch is its true colour, and how often a control colour, that of a
# patch in another picture.

# %%
lens = sh.logit_lens(
    model, spoke.readouts()["colour, halves"], resampling=sh.Resampling(resamples=200)
)
true, control = lens.top1_share("hub"), lens.top1_share("surface")
for layer, name in enumerate(lens.layers):
    print(f"layer {name}: true {true.value[layer]:.2f}, control {control.value[layer]:.2f}")

# %%
encoded, middle = spoke.encoded_pictures["shapes"][0], model.cfg.n_layers // 2
prompts = [encoded.at_patch(patch, spoke.wording) for patch in range(encoded.n_patches)]
top = top_tokens(model, prompts, k=1, layers=[0, middle]).to_frame()
pixels = encoded.picture.pixels
figure = picture_words(pixels, top, middle, encoded.grid)  # figure.show() in a notebook

# %% [markdown]
# ## A half recoloured
# From each layer on the patches of one half become U[new colour] − U[old colour]. Does the answer
# to *which colour is left?* become the new one? The placebos are random.

# %%
task = vision.steering(vision.recolor_items(spoke.encoded_pictures["halves"], at_most=8), wording)
answers = intervene(model, task).to_frame().query("outcome == 'success' and strength == 1")
print(answers.pivot(index="layer", columns="direction", values="value").round(2))

# %% [markdown]
# And the states of a whole picture in the place of another's:

# %%
swap = spoke.interventions()["picture -> picture, halves"]
top1 = (
    intervene(model, swap, resampling=sh.Resampling(resamples=200))
    .to_frame()
    .query("measure == 'top1'")
)
print(top1.pivot_table(index="layer", columns=["row", "answer"], values="value").round(2))
