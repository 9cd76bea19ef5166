"""A tiny random Qwen2 as a GGUF file, and the network that plain transformers makes of its weights.

Qwen2 keeps its weights in GGUF files as they are, so the expected network needs no reader.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import torch
import transformers
from gguf.quants import dequantize, quantize
from tiny import CONFIGS, randomise, train_tokenizer

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "model.layers.": "blk.", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
Q8 = gguf.GGMLQuantizationType.Q8_0


def write_gguf(path: Path) -> Any:
    """Write the file, in 8 bits where rows allow it, and give the network of the same weights."""
    torch.manual_seed(0)
    config = CONFIGS["qwen2"]()
    network = randomise(transformers.AutoModelForCausalLM.from_config(config)).eval()
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    add_tokenizer(writer)
    for name, parameter in network.named_parameters():
        weight = parameter.detach().numpy()
        if weight.ndim == 2 and weight.shape[1] % 32 == 0:
            packed = quantize(weight, Q8)
            parameter.data = torch.from_numpy(dequantize(packed, Q8).copy())
            writer.add_tensor(gguf_name(name), packed, raw_dtype=Q8)
        else:
            writer.add_tensor(gguf_name(name), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return network


def gguf_name(name: str) -> str:
    for part, short in NAMES.items():
        name = name.replace(part, short)
    return name


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    tokenizer = train_tokenizer()
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = tokenizer.backend_tokenizer.model.__getstate__()  # JSON as bytes
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    special = {*tokenizer.all_special_tokens}
    writer.add_token_types([
        gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens
    ])  # fmt: skip
    writer.add_token_merges([" ".join(pair) for pair in json.loads(merges)["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
