"""A task and a model that ship with the package, for a machine without data or network.

`pydoc` draws questions and answers from Python's own documentation; `tiny_base/` holds the weights
of a small Llama-type model trained on it by `train_base.py`. Nothing here needs a network.
"""

from pathlib import Path

TINY_BASE_DIR = Path(__file__).parent / "tiny_base"
"""Folder of the embedded base model: safetensors weights, config and tokenizer."""
