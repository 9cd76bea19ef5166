"""Tiny multimodal checkpoints with random weights, processors included."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tiny import D_VOCAB, randomise, train_tokenizer
from tokenizers import processors

RATE = 16_000
_TEXT = {
    "vocab_size": D_VOCAB + 4,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
_TOWER = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}


def image(seed: int = 0, size: int = 24) -> Any:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def sound(seed: int = 0, seconds: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE))


def tokenizer_with(token: str) -> Any:
    tokenizer = train_tokenizer()
    tokenizer.add_tokens([token], special_tokens=True)
    return tokenizer


def tokenizer_without_bos(token: str) -> Any:
    """As Qwen's."""
    trained = train_tokenizer().backend_tokenizer
    trained.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained, eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.add_tokens([token], special_tokens=True)
    return tokenizer


def save_llava(folder: Path, **text: Any) -> None:
    """CLIP, a projector and Llama: 9 patches of 8 × 8 in an image of 24 × 24."""
    tokenizer = tokenizer_with("<image>")
    vision = transformers.CLIPVisionConfig(
        **_TOWER, num_hidden_layers=3, image_size=24, patch_size=8, projection_dim=16
    )
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=transformers.LlamaConfig(**{**_TEXT, **text}),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        image_seq_length=9,
    )
    size = {"height": 24, "width": 24}
    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=size)
    processor = transformers.LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    _save(transformers.LlavaForConditionalGeneration, config, processor, folder)


def save_paligemma(folder: Path) -> None:
    """SigLIP and Gemma, which attends in both directions among image and question."""
    tokenizer = tokenizer_with("<image>")
    vision = transformers.SiglipVisionConfig(
        **_TOWER, num_hidden_layers=2, image_size=24, patch_size=8, vision_use_head=False
    )
    text = {**_TEXT, "vocab_size": D_VOCAB + 1100, "head_dim": 8}  # the processor adds places
    config = transformers.PaliGemmaConfig(
        vision_config=vision,
        text_config=transformers.GemmaConfig(**text),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=32,
    )
    pictures = transformers.SiglipImageProcessorPil(size={"height": 24, "width": 24})
    pictures.image_seq_length = 9
    processor = transformers.PaliGemmaProcessor(pictures, tokenizer)
    _save(transformers.PaliGemmaForConditionalGeneration, config, processor, folder)


def save_qwen2_audio(folder: Path) -> None:
    """A Whisper encoder, a projector and Qwen2: 25 positions a second."""
    tokenizer = tokenizer_without_bos("<|AUDIO|>")
    heard = transformers.Qwen2AudioEncoderConfig(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=24,
        num_mel_bins=16,
        max_source_positions=50,
    )
    config = transformers.Qwen2AudioConfig(
        audio_config=heard,
        text_config=transformers.Qwen2Config(**_TEXT),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    processor = transformers.Qwen2AudioProcessor(extractor, tokenizer, audio_token="<|AUDIO|>")
    _save(transformers.Qwen2AudioForConditionalGeneration, config, processor, folder)


def _save(kind: Any, config: Any, processor: Any, folder: Path) -> None:
    torch.manual_seed(0)
    randomise(kind(config)).eval().save_pretrained(folder)
    processor.save_pretrained(folder)
