# %% [markdown]
# # Is it a mammal?
# Sounds enter a language model as soft tokens. Do their positions name the animal, and does the
# model use that name? Clips are synthesised; your own come from `clips_from_folder`.

# %%
import torch

import semantic_hub as sh
from semantic_hub.clip_plots import clip_timeline
from semantic_hub.directions import unembedding_difference
from semantic_hub.layer_directions import in_stream_norms
from semantic_hub.spokes import audio
from semantic_hub.answers import answer_curve

model = sh.load_model("hub-mini")  # real model: sh.load_model("Qwen/Qwen2-Audio-7B")

# %% [markdown]
# ## An ear
# `encode` makes features of a waveform, one row a position. Here it is a linear map from log-mel
# frames to the embedding of what is heard, fitted by least squares on clips of other seeds.


# %%
def frames(clip: audio.Clip) -> torch.Tensor:
    mel = torch.tensor(audio.log_mel(clip))
    return torch.cat([mel, torch.ones(len(mel), 1)], dim=1)


def word(label: str) -> torch.Tensor:
    [token] = model.tokenizer.encode(label, add_special_tokens=False)
    return model.W_E[token].detach().cpu()


heard = audio.animal_clips(seeds=range(100, 110))
inputs = torch.cat([frames(clip) for clip in heard])
wanted = torch.cat([word(clip.label).expand(20, -1) for clip in heard])
projector = torch.linalg.lstsq(inputs, wanted).solution


def encode(waveform, rate):
    return frames(audio.Clip(waveform, rate, "heard")) @ projector


# %% [markdown]
# ## Clips against labels
# Clips of unseen seeds; similarity is the matched less the mismatched mean cosine.

# %%
spoke = audio.AudioSpoke(encode, audio.animal_clips(seeds=range(3)))
alike = sh.similarity(model, spoke.pairs()["label"], resamples=200, permutations=200)
curve = alike.to_frame().query("measure == 'similarity'")
print(curve[["layer", "value", "low", "high"]].round(2).to_string(index=False))

# %% [markdown]
# ## Words at the positions of clips
# How often the clip's own label is likelier than another one, and the same of a third label. Each
# clip counts once: the mean over its positions.

# %%
few = spoke.heard[:12]
every = sh.logit_lens(model, audio.readouts(few, rows="all"), resamples=200)
shares = audio.over_positions(every, 20).to_frame().query("measure == 'share'")
print(shares.query("against == 'surface'").pivot(index="layer", columns="group", values="value"))

# %% [markdown]
# One clip over time, with the top token of each position in the middle of the model.

# %%
layer, clip = 4, few[0]
top = sh.top_tokens(model, [clip.prompt(row=row) for row in range(20)], k=1, layers=[layer])
texts = [top.texts[str(token)] for token in top.tokens[:, 0, 0].tolist()]
timeline = clip_timeline(
    audio.log_mel(clip.clip), texts, seconds=1.0, title=f"{clip.clip.label}, layer {layer}"
)  # timeline.show() in a notebook

# %% [markdown]
# ## Another animal, written into the clip
# Dogs, with s · (U[owl] − U[dog]) added at the clip's positions; s counts in lengths of the
# stream. Does the model still answer that it is a mammal?

# %%
dogs = audio.hear(encode, audio.animal_clips(["dog"], seeds=range(10)))
prompts = [dog.prompt("{clip} mammal:") for dog in dogs]
owl = in_stream_norms(model, unembedding_difference(model, "owl", "dog"), prompts)
answers = answer_curve(model, prompts, {"owl": owl}, layers=[2, 4, 6], strengths=[0.5, 1.0, 2.0])
print(answers.to_frame().round(2).to_string(index=False))
figure = answers.figure(layer=4)  # figure.show() in a notebook
