# %% [markdown]
# # Is it a mammal?
# Sounds enter a language model as soft tokens. Do their positions name the animal, and does the
# model use that name? Clips are synthesized; your own come from `clips_from_folder`.

# %%
import semantic_hub as sh
from semantic_hub.interventions.steering.answers import answer_probability
from semantic_hub.interventions.steering.contrasts import unembedding_difference
from semantic_hub.interventions.steering.per_layer import scale_to_stream
from semantic_hub.spokes import audio
from semantic_hub.spokes.audio.figures import clip_timeline

MODEL = "hub-mini"

# %% real model
# MODEL = "Qwen/Qwen2-Audio-7B"

# %% [markdown]
# ## A model and its ear
# `encode` makes features of a waveform, one row a position; the model reads them in the place of
# tokens. hub-mini's ear is a linear map that was trained on clips of other seeds.

# %%
model, encode = sh.load_multimodal(MODEL)

# %% [markdown]
# ## Clips against labels
# Clips of unseen seeds; the AUC is how often the right label beats another.

# %%
spoke = audio.AudioSpoke(encode, audio.animal_clips(seeds=range(3)))
alike = sh.similarity(
    model, spoke.pairs()["label"], resampling=sh.Resampling(resamples=200), permutations=200
)
curve = alike.to_frame().query("measure == 'AUC'")
print(curve[["layer", "value", "low", "high"]].round(2).to_string(index=False))

# %% [markdown]
# ## Words at the positions of clips
# How often the clip's own label is likelier than another one, and the same of a third label. Each
# clip counts once: the mean over its positions.

# %%
few = spoke.encoded_clips[:12]
every = sh.logit_lens(
    model, audio.readouts(few, rows="all"), resampling=sh.Resampling(resamples=200)
)
shares = every.pooled(len(few[0].span)).to_frame().query("measure == 'share'")
print(shares.query("against == 'surface'").pivot(index="layer", columns="group", values="value"))

# %% [markdown]
# One clip over time, with the top token of each position in the middle of the model.

# %%
layer, clip = model.cfg.n_layers // 2, few[0]
top = sh.top_tokens(
    model, [clip.prompt(row=row) for row in range(len(clip.span))], k=1, layers=[layer]
)
texts = [top.texts[str(token)] for token in top.tokens[:, 0, 0].tolist()]
timeline = clip_timeline(
    audio.log_mel(clip.clip), texts, seconds=1.0, title=f"{clip.clip.label}, layer {layer}"
)  # timeline.show() in a notebook

# %% [markdown]
# ## Another animal, written into the clip
# Dogs, with s · (U[owl] − U[dog]) added at the clip's positions; s counts in lengths of the
# stream. Does the model still answer that it is a mammal?

# %%
dogs = audio.encode_clips(encode, audio.animal_clips(["dog"], seeds=range(10)))
prompts = [dog.prompt("{clip} mammal:") for dog in dogs]
owl = scale_to_stream(model, unembedding_difference(model, "owl", "dog"), prompts)
answers = answer_probability(
    model, prompts, {"owl": owl}, layers=[0, 1, 4], strengths=[0.5, 1.0, 2.0]
)
print(answers.to_frame().round(2).to_string(index=False))
figure = answers.figure(layer=0)  # figure.show() in a notebook
