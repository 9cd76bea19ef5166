# %% [markdown]
# # What colour is this patch?
# Pictures enter a language model as soft tokens, one for each patch. Do their positions name the
# colour that is seen there, and does the model use that name? Pictures are drawn; your own come
# from `read_pictures`, `coco_captions` and `coco_panoptic`.

# %%
import numpy as np
import torch

import semantic_hub as sh
from semantic_hub.image_plots import picture_words
from semantic_hub.intervene import intervene
from semantic_hub.spokes import vision
from semantic_hub.top_tokens import top_tokens

model = sh.load_model("hub-mini")  # real model: sh.load_model("meta-llama/Llama-3.2-1B")

# %% [markdown]
# ## An eye
# `encode` makes features of an image, one row a patch. Here it is a linear map from the patch's
# pixels to the embedding of its colour's name, fitted by least squares on pictures of other seeds.


# %%
def patches(pixels: np.ndarray) -> torch.Tensor:
    cut = torch.tensor(vision.patch_features(pixels))
    return torch.cat([cut, torch.ones(len(cut), 1)], dim=1)


def word(color: str) -> torch.Tensor:
    [token] = model.tokenizer.encode(f" {color}", add_special_tokens=False)
    return model.W_E[token].detach().cpu()


seen = vision.random_pictures(100, kind="one colour", seed=7)
inputs = torch.cat([patches(picture.pixels) for picture in seen])
wanted = torch.cat([word(picture.regions[0].color).expand(16, -1) for picture in seen])
projector = torch.linalg.lstsq(inputs, wanted, driver="gelsd").solution


def encode(image):
    return patches(np.asarray(image)) @ projector


# %% [markdown]
# ## Pictures against captions
# Unseen pictures, alone, and in front of the same question as their captions. Similarity is
# matched less mismatched cosine.

# %%
spoke = vision.VisionSpoke(encode, vision.drawn_pictures(per_kind=22))
for name in ("halves", "halves, asked"):
    alike = sh.similarity(model, spoke.pairs()[name], resamples=200, permutations=200)
    print(name, [round(value, 2) for value in alike.similarity.tolist()])

# %% [markdown]
# ## Words at patches
# How often the top token of a patch is its true colour, and how often a control colour, that of a
# patch in another picture.

# %%
lens = sh.logit_lens(model, spoke.readouts()["colour, halves"], resamples=200)
true, control = vision.top_share(lens), vision.top_share(lens, "surface")
for layer, name in enumerate(lens.layers):
    print(f"layer {name}: true {true.value[layer]:.2f}, control {control.value[layer]:.2f}")

# %%
shown = spoke.shown["shapes"][0]
prompts = [shown.at(patch, spoke.wording) for patch in range(shown.n_patches)]
top = top_tokens(model, prompts, k=1, layers=[0, 4]).to_frame()
figure = picture_words(shown.picture.pixels, top, 4, shown.grid)  # figure.show() in a notebook

# %% [markdown]
# ## A half recoloured
# From each layer on the patches of one half become U[new colour] − U[old colour]. Does the answer
# to *which colour is left?* become the new one? The placebo is a random direction.

# %%
task = vision.steering(vision.recolored(spoke.shown["halves"], at_most=8))
answers = intervene(model, task).to_frame().query("outcome == 'success' and strength == 1")
print(answers.pivot(index="layer", columns="direction", values="value").round(2))
