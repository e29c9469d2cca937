"""Names in TRL, PEFT, transformers, Ray, Optuna and vLLM, and their keys in a sweep YAML.

Users of these libraries write their names first; the hint gives our key instead of the key with the
most similar spelling.
"""

from __future__ import annotations

from collections.abc import Iterable

_GENERATION = "model.generation"
_LENGTH = (f"{_GENERATION}.max_new_tokens",)
_BATCH = ("method.batch_size",)
_STEPS = ("method.steps",)
_SERVED = ("model.path",)
_GPUS = ("engine.resources.gpus_per_rank",)
_RUNS = ("stop.runs",)

KEYS: dict[str, tuple[str, ...]] = {
    # transformers and TRL: training
    "lr": ("method.learning_rate",),
    "max_lr": ("method.learning_rate",),
    "per_device_train_batch_size": _BATCH,
    "train_batch_size": _BATCH,
    "micro_batch_size": ("method.gradient_accumulation",),
    "gradient_accumulation_steps": ("method.gradient_accumulation",),
    "max_steps": _STEPS,
    "train_steps": _STEPS,
    "save_steps": ("method.checkpoint_every",),
    "eval_steps": ("method.checkpoint_every",),
    "max_grad": ("method.max_grad_norm",),
    "gradient_clipping": ("method.max_grad_norm",),
    "kl_coef": ("method.beta",),
    "kl_beta": ("method.beta",),
    "loss_type": ("method.loss",),
    "num_generations": ("method.generations", "data.candidates"),
    "output_dir": ("storage",),
    "save_dir": ("storage",),
    "log_dir": ("storage",),
    "storage_path": ("storage",),
    "run_name": ("name",),
    "experiment_name": ("name",),
    "random_seed": ("seed",),
    "report_to": ("tracking",),
    "training_args": ("method.trainer",),
    "training_arguments": ("method.trainer",),
    "trainer_args": ("method.trainer",),
    "loggers": ("tracking",),
    # models and adapters
    "model_name": _SERVED,
    "model_name_or_path": _SERVED,
    "model_id": _SERVED,
    "base_model": _SERVED,
    "pretrained_model_name_or_path": _SERVED,
    "model": ("path",),
    "torch_dtype": ("model.dtype",),
    "precision": ("model.dtype",),
    "bf16": ("model.dtype",),
    "fp16": ("model.dtype",),
    "r": ("model.lora.rank",),
    "lora_r": ("model.lora.rank",),
    "lora_rank": ("model.lora.rank",),
    "lora_alpha": ("model.lora.alpha",),
    "lora_dropout": ("model.lora.dropout",),
    "target_modules": ("model.lora.targets",),
    "lora_target_modules": ("model.lora.targets",),
    "rank_pattern": ("model.lora.ranks",),
    "peft_config": ("model.lora",),
    "lora_config": ("model.lora",),
    "use_dora": ("model.lora.dora",),
    "use_rslora": ("model.lora.rslora",),
    "lora_modules_to_save": ("model.lora.modules_to_save",),
    # generation
    "max_tokens": _LENGTH,
    "max_completion_length": _LENGTH,
    "max_length": _LENGTH,
    "max_new_token": _LENGTH,
    "max_gen_len": _LENGTH,
    "generation_config": (_GENERATION,),
    "sampling_params": (_GENERATION,),
    # data
    "dataset": ("data.path",),
    "dataset_name": ("data.path",),
    "dataset_path": ("data.path",),
    "data_files": ("data.path",),
    "train_file": ("data.path",),
    "dataset_config": ("data.config",),
    "dataset_split": ("data.split",),
    "num_train": ("data.train",),
    "num_eval": ("data.eval",),
    "test": ("data.eval",),
    "val": ("data.validation",),
    "prompt_column": ("data.columns.prompt",),
    "rewards": ("objectives",),
    "reward_funcs": ("objectives",),
    "reward_functions": ("objectives",),
    "reward_model": ("objectives",),
    "metrics": ("objectives",),
    "mode": ("direction",),
    "goal": ("direction",),
    "reference_point": ("ref",),
    "ref_point": ("ref",),
    # Ray, Ray Tune, Optuna
    "workers": ("engine.worker_groups",),
    "num_workers": ("engine.worker_groups",),
    "n_jobs": ("engine.worker_groups",),
    "max_concurrent_trials": ("engine.worker_groups",),
    "max_concurrent": ("engine.worker_groups",),
    "num_gpus": _GPUS,
    "use_gpu": _GPUS,
    "gpus": _GPUS,
    "num_cpus": ("engine.resources.cpus_per_rank",),
    "cpus": ("engine.resources.cpus_per_rank",),
    "resources_per_worker": ("engine.resources",),
    "resources_per_trial": ("engine.resources",),
    "world_size": ("engine.resources.ranks",),
    "tensor_parallel_size": ("engine.resources.ranks",),
    "zero_stage": ("engine.resources.zero",),
    "zero_optimization": ("engine.resources.zero",),
    "deepspeed": ("engine.resources.zero",),
    "cpu_offload": ("engine.resources.offload",),
    "max_failures": ("engine.retries",),
    "max_retries": ("engine.retries",),
    "num_samples": _RUNS,
    "n_trials": _RUNS,
    "num_trials": _RUNS,
    "trials": _RUNS,
    "max_runs": _RUNS,
    "budget": _RUNS,
    "time_budget_s": ("stop.hours",),
    "timeout": ("stop.hours",),
    "max_cost": ("stop.cost",),
    "early_stopping": ("method.early_stop", "stop.rungs"),
    "scheduler": ("stop.rungs",),
    "pruner": ("stop.rungs",),
    "search_alg": ("proposer",),
    "searcher": ("proposer",),
    "sampler": ("proposer",),
    "param_space": ("search",),
    "search_space": ("search",),
    "weights": ("proposer",),
    "preferences": ("proposer",),
}
"""A foreign name, and the keys with the same meaning, by dotted place."""

NOTES: dict[str, str] = {
    "top_k": "answers are drawn by `temperature` and `top_p` alone",
    "repetition_penalty": "answers are drawn by `temperature` and `top_p` alone",
    "do_sample": "`temperature: 0` takes the most likely token, anything above it samples",
    "num_train_epochs": "runs are measured in optimiser steps: write `method.steps`",
    "num_epochs": "runs are measured in optimiser steps: write `method.steps`",
    "epochs": "runs are measured in optimiser steps: write `method.steps`",
    **{
        name: f"write `method.trainer.{name}`"
        for name in (
            "activation_checkpointing",
            "adam_beta1",
            "adam_beta2",
            "adam_epsilon",
            "gradient_checkpointing",
            "lr_scheduler_type",
            "optim",
            "warmup_steps",
            "weight_decay",
        )
    },
    "lr_scheduler": "write `method.trainer.lr_scheduler_type`",
    "optimizer": "write `method.trainer.optim`",
    "scheduler_type": "write `method.trainer.lr_scheduler_type`",
    "warmup_ratio": "write `method.trainer.warmup_steps`: below 1 it is a share of the steps",
    "load_in_4bit": "quantised bases are not supported: `model.dtype` is float32, bfloat16 or "
    "float16",
    "load_in_8bit": "quantised bases are not supported: `model.dtype` is float32, bfloat16 or "
    "float16",
    "quantization_config": "quantised bases are not supported: `model.dtype` is float32, bfloat16 "
    "or float16",
    "resume_from_checkpoint": "the same command, or `paretoflow resume`, goes on by itself",
    "logging_steps": "every evaluation is in the ledger; `tracking` tells an experiment tracker",
    "use_vllm": "answers are generated in the worker itself; exports can be served by vLLM",
    "ref_model": "the frozen base is the reference",
}
"""A foreign name without a key, and advice in place of it."""

TAGS: dict[str, dict[str, str]] = {
    "method": {
        "reinforce": "rloo",
        "ppo": "grpo",
        "online_dpo": "ipo_md",
        "rewarded_soups": "dpo",
        "morlhf": "grpo",
        "cpo": "simpo",
        "orpo": "simpo",
        "supervised": "sft",
        "raft": "sft",
        "mgda": "gradient_dpo",
    },
    "proposer": {
        "grid": "lattice",
        "uniform": "lattice",
        "random": "dirichlet",
        "bayesian": "gp_hvi",
        "bo": "gp_hvi",
        "qnehvi": "gp_hvi",
        "rewarded_soups": "soups",
        "default": "auto",
    },
    "model": {
        "hf": "pretrained",
        "huggingface": "pretrained",
        "transformers": "pretrained",
        "hub": "pretrained",
        "local": "pretrained",
        "tiny": "embedded",
    },
    "data": {
        "json": "jsonl",
        "huggingface": "hub",
        "hf": "hub",
        "datasets": "hub",
        "embedded": "pydoc",
        "pairs": "preferences",
        "preference": "preferences",
        "dpo": "preferences",
        "rating": "ratings",
        "scores": "ratings",
        "scored": "ratings",
    },
    "objectives": {
        "python": "import",
        "function": "import",
        "custom": "import",
        "callable": "import",
        "rm": "reward_model",
        "classifier": "reward_model",
        "rouge_l": "rouge",
        "words": "length",
        "brevity": "length",
        "keyword": "regex",
        "keywords": "regex",
        "latency": "system",
        "cost": "system",
    },
    "tracking": {"weights_and_biases": "wandb", "tensorboardx": "tensorboard", "tb": "tensorboard"},
}
"""For each family of `{type: …}` entries: another name for a type, and the type."""


def plain(word: object) -> str:
    """Return a word in the spelling of the tables: `--Per-Device` is `per_device`."""
    return str(word).strip().lstrip("-").lower().replace("-", "_").replace(" ", "_")


def advice_on(key: str, allowed: Iterable[str]) -> str:
    """Return advice on a foreign key; empty for other words.

    Args:
        key: The unknown key.
        allowed: The keys of the mapping that it is in.
    """
    word, known = plain(key), set(allowed)
    if word in NOTES:
        return NOTES[word]
    places = KEYS.get(word, ())
    here = [name for place in places if (name := place.rpartition(".")[2]) in known]
    if here:
        return f"write `{here[0]}`"
    elsewhere = [place for place in places if place not in ("path", "direction", "ref")]
    return f"write {' or '.join(f'`{place}`' for place in elsewhere)}" if elsewhere else ""


def type_for(family: str, word: object) -> str | None:
    """Return the type for another library's name; None for unknown names."""
    return TAGS.get(family, {}).get(plain(word))
