"""Arguments of TRL's config classes that are not passed on: our own key, or the reason.

A value that begins with `=` names the key that is written in place of the argument; of several,
parted by `|`, the first that the method has. Arguments that some methods pass on are listed too,
with the reason why the others do not.
"""

from __future__ import annotations

_EVALUATES = "every checkpoint is evaluated by the sweep; see `method.checkpoint_every`"
_STATE = "the sweep saves the state that it resumes from"
_LOGS = "every step is logged for the ledger"
_HUB = "a front is published by `paretoflow export`"
_RANKS = "`engine.resources` places the ranks"
_BATCHES = "batches come from the sweep, in an order that resuming repeats"
_PROCESS = "it would change the worker for all later runs"
_BASE = "it would change the base, which all runs of a worker share"
_REFERENCE = "the frozen base is the reference"
_TOKENS = "answers come as tokens, of the length that was sampled or given"
_SAMPLING = "answers are sampled as in evaluation, by `model.generation`"
_ENGINE = "the worker itself samples"
_ON_POLICY = "each batch of samples is used for one step, so it would have no effect"
_ADVANTAGES = "advantages come from `method.aggregation`"
_ADAPTIVE = "its coefficient changes while a run trains and is not in the saved state"
_NO_LOSS = "the loss of this method does not read it"
_UNUSED = "the losses of our methods do not read it"
_OPTIM = "the optimisers that are passed on do not need it"

Table = dict[str, str]


def _table(*rows: tuple[str, str]) -> Table:
    return {name: reason for names, reason in rows for name in names.split()}


_ALL = _table(
    ("output_dir", "=storage"),
    ("max_steps num_train_epochs", "=method.steps"),
    ("per_device_train_batch_size", "=method.batch_size"),
    ("gradient_accumulation_steps", "=method.gradient_accumulation"),
    ("learning_rate", "=method.learning_rate"),
    ("max_grad_norm", "=method.max_grad_norm"),
    ("seed data_seed", "=seed"),
    ("bf16 fp16", "=model.dtype"),
    ("use_cpu", "=model.device"),
    ("model_init_kwargs", "=model.path"),
    ("trust_remote_code", "=model.trust_remote_code"),
    ("save_steps eval_steps", "=method.checkpoint_every"),
    ("report_to run_name project trackio_space_id trackio_bucket_id trackio_static_space_id",
     "=tracking"),
    ("deepspeed", "=engine.resources.zero"),
    ("fsdp fsdp_config accelerator_config parallelism_config ddp_find_unused_parameters "
     "ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout local_rank",
     _RANKS),
    ("eval_strategy eval_delay per_device_eval_batch_size prediction_loss_only eval_on_start "
     "eval_do_concat_batches eval_use_gather_object eval_accumulation_steps include_for_metrics "
     "batch_eval_metrics bf16_full_eval fp16_full_eval load_best_model_at_end do_eval do_predict "
     "metric_for_best_model greater_is_better", _EVALUATES),
    ("save_only_model save_strategy save_on_each_node save_total_limit enable_jit_checkpoint "
     "ignore_data_skip restore_callback_states_from_checkpoint", _STATE),
    ("resume_from_checkpoint", "the same command, or `paretoflow resume`, goes on by itself"),
    ("do_train", "every run trains"),
    ("push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push "
     "hub_revision", _HUB),
    ("logging_strategy logging_steps logging_first_step log_on_each_node logging_nan_inf_filter "
     "include_num_input_tokens_seen log_level log_level_replica disable_tqdm debug "
     "skip_memory_metrics", _LOGS),
    ("dataloader_drop_last dataloader_num_workers dataloader_pin_memory "
     "dataloader_persistent_workers dataloader_prefetch_factor dataloader_multiprocessing_context "
     "dataloader_in_order remove_unused_columns label_names train_sampling_strategy "
     "length_column_name", _BATCHES),
    ("auto_find_batch_size", "a run that is out of memory halves its batches by itself"),
    ("full_determinism tf32", _PROCESS),
    ("torch_compile torch_compile_backend torch_compile_mode use_liger_kernel liger_kernel_config",
     _BASE),
    ("neftune_noise_alpha", "its hook would stay on the base when a run is interrupted"),
    ("use_cache", "training does not use the cache"),
    ("optim_args optim_target_modules", _OPTIM),
    ("average_tokens_across_devices", "losses are the same for any number of ranks"),
    ("label_smoothing_factor", "the losses here do not read it; TRL has deprecated it"),
    ("router_aux_loss_coef", "an adapter does not train the experts' router"),
    ("pad_to_multiple_of", "this method pads its batches itself"),
)  # fmt: skip

_SAMPLED = _table(
    ("disable_dropout", "=model.lora.dropout"),
    ("num_generations", "=method.generations"),
    ("max_completion_length", "=model.generation.max_new_tokens"),
    ("temperature", "=model.generation.temperature"),
    ("top_p", "=model.generation.top_p"),
    ("chat_template_kwargs", "=model.chat_template_kwargs"),
    ("beta", "=method.beta"),
    ("reward_weights", "=proposer"),
    ("num_generations_eval", _EVALUATES),
    ("ds3_gather_for_generation", _RANKS),
    ("shuffle_dataset", _BATCHES),
    ("generation_batch_size steps_per_generation num_iterations epsilon epsilon_high", _ON_POLICY),
    ("top_k min_p generation_kwargs repetition_penalty cache_implementation", _SAMPLING),
    ("use_vllm vllm_mode vllm_model_impl vllm_enable_sleep_mode vllm_structured_outputs_regex "
     "vllm_server_base_url vllm_server_host vllm_server_port vllm_server_timeout vllm_group_port "
     "vllm_gpu_memory_utilization vllm_max_model_length vllm_tensor_parallel_size "
     "use_transformers_continuous_batching transformers_continuous_batching_config "
     "use_transformers_paged", _ENGINE),
    ("sync_ref_model ref_model_mixup_alpha ref_model_sync_steps", _REFERENCE),
    ("log_completions log_multimodal num_completions_to_print log_unique_prompts", _LOGS),
    ("mask_truncated_completions", "this method also learns from other answers than its samples"),
)  # fmt: skip

REFUSED: dict[str, Table] = {
    "all": _ALL,
    "DPOConfig": _table(
        ("disable_dropout", "=model.lora.dropout"),
        ("beta", "=method.beta"),
        ("loss_type", "=method.loss|method.type"),
        ("f_divergence_type", "=method.divergence|method.type"),
        ("f_alpha_divergence_coef", "=method.alpha|method.type"),
        ("loss_weights", "a method has one loss"),
        ("max_length truncation_mode dataset_num_proc padding_free pad_token", _TOKENS),
        ("precompute_ref_log_probs precompute_ref_batch_size sync_ref_model ref_model_mixup_alpha "
         "ref_model_sync_steps", _REFERENCE),
        ("label_smoothing", "TRL reads it in the losses robust, exo_pair and aot alone"),
        ("discopop_tau", _UNUSED),
        ("ld_alpha", "the base's log-probabilities are known for whole answers alone"),
        ("use_weighting", _NO_LOSS),
        ("activation_offloading", "untried; `activation_checkpointing` saves the same memory"),
    ),
    "GRPOConfig": _SAMPLED | _table(
        ("loss_type", "=method.type"),
        ("scale_rewards", _ADVANTAGES),
        ("multi_objective_aggregation", "=method.aggregation"),
        ("cast_lm_head_to_fp32", _BASE),
        ("delta importance_sampling_level off_policy_mask_threshold", _ON_POLICY),
        ("sapo_temperature_neg sapo_temperature_pos vespo_k_pos vespo_lambda_pos vespo_k_neg "
         "vespo_lambda_neg", _UNUSED),
        ("top_entropy_quantile use_bias_correction_kl entropy_coef", _NO_LOSS),
        ("use_adaptive_entropy entropy_coef_min entropy_coef_max entropy_coef_delta "
         "entropy_target", _ADAPTIVE),
        ("max_tool_calling_iterations", "answers are one turn"),
        ("vllm_importance_sampling_correction vllm_importance_sampling_mode "
         "vllm_importance_sampling_clip_max vllm_importance_sampling_clip_min "
         "vllm_importance_sampling_cap", _ENGINE),
        ("log_completions_hub_repo", _HUB),
    ),
    "RLOOConfig": _SAMPLED | _table(
        ("normalize_advantages reward_clip_range", _ADVANTAGES),
    ),
    "SFTConfig": _table(
        ("loss_type", _NO_LOSS),
        ("chat_template_path", "=model.chat_template_kwargs"),
        ("dataset_text_field dataset_kwargs dataset_num_proc eos_token max_length truncation_mode "
         "packing packing_strategy padding_free eval_packing pad_token", _TOKENS),
        ("shuffle_dataset", _BATCHES),
        ("completion_only_loss assistant_only_loss", "the loss leaves prompts out"),
        ("activation_offloading", "untried; `activation_checkpointing` saves the same memory"),
    ),
}  # fmt: skip
"""Tables by config class; "all" has the arguments that every class has."""
