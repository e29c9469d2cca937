"""Estimate of the memory that one rank needs, from a model's shape: loads no torch and no weights.

The terms were read off what torch keeps for the backward pass of transformers' layers with PEFT
adapters, and are held against measured peaks by `tests/benchmarks/memory`. `docs/sizing.md` has the
same formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

TILE_TOKENS, TILE_WORDS = 4096, 32_768
"""Largest piece of the logits that TRL computes at a time, in `trl.kernels.chunked_logprob`."""
GPU_TILES, CPU_TILES = 1, 7
"""Copies of a piece: on a GPU one kernel works in place, torch's operators on a CPU do not."""
LIVE_SHARE, LIVE_PARAMETERS = 16, 1_000_000_000
"""Part of a sharded base that is gathered at a time in training, and its largest size."""
GPU_BASE, CPU_BASE = 1.5e9, 0.7e9
"""Bytes of CUDA's context and kernels, and of the libraries in a CPU process."""


@dataclass(frozen=True)
class Shape:
    """Shape of a model and of its adapter.

    Args:
        inner: Width of the MLP that a token passes through; of all its experts together.
        gated: Whether the MLP has a gate, as Llama's.
        parameters: Of the frozen base.
        trained: Of the adapter.
        inputs: Sum of the input widths of all adapted layers.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    words: int
    gated: bool
    parameters: int
    trained: int
    inputs: int


@dataclass(frozen=True)
class Load:
    """Work of one rank with the model.

    Args:
        width: Bytes of a number of the base: 4 in float32, 2 in bfloat16 and float16.
        sequences: Sequences of a forward pass in training.
        tokens: Tokens of a sequence, prompt and answer.
        answer: Tokens of an answer.
        sampled: Answers of a batch of generation.
        ranks: Ranks of a worker group.
        zero: Stage of DeepSpeed ZeRO.
        offload: Whether the optimiser is in CPU memory.
        recomputed: Whether activations are computed again in the backward pass.
        full_logits: Whether the method keeps the logits of every token.
        referenced: Whether the base's log-probabilities of answers are computed beforehand.
        gpu: Whether the rank has a GPU.
        whole: Whether the method gathers a sharded base whole.
        shardable: Whether the base may be sharded by ZeRO 3.
    """

    width: int
    sequences: int
    tokens: int
    answer: int
    sampled: int
    ranks: int = 1
    zero: int = 0
    offload: bool = False
    recomputed: bool = False
    full_logits: bool = False
    referenced: bool = True
    gpu: bool = True
    whole: bool = False
    shardable: bool = False


@dataclass(frozen=True)
class Footprint:
    """Estimated bytes of one rank.

    Args:
        weights: The base, whole.
        sharded: What the rank holds of the base; less than `weights` under ZeRO 3 alone, where it
            is a share and the parameters that are gathered at a time.
        adapter: Weights, gradients and the optimiser's moments of what is trained.
        training: Activations and logits of a forward and backward pass.
        sampling: Keys, values and logits of a batch of answers.
        fixed: Libraries and context of the process.
    """

    weights: float
    sharded: float
    adapter: float
    training: float
    sampling: float
    fixed: float

    @property
    def total(self) -> float:
        """Return the peak: training and sampling take turns."""
        return self.fixed + self.adapter + self.sharded + max(self.training, self.sampling)


def footprint(shape: Shape, load: Load) -> Footprint:
    """Return the estimate for one rank.

    By hand, for one layer of hidden size 2 in float32 with one head of size 2, MLP 3 (gated), all
    seven linear layers adapted: a token keeps 4 x (2·2 + 3·3 + 4·2 + 2·2 + 3) = 112 bytes.
    """
    weights = load.width * shape.parameters
    return Footprint(
        weights=weights,
        sharded=_sharded(shape, load) if load.zero == 3 else weights,
        adapter=_adapter(shape, load),
        training=_training(shape, load),
        sampling=_sampling(shape, load),
        fixed=GPU_BASE if load.gpu else CPU_BASE,
    )


def live_parameters(parameters: int) -> int:
    """Return the parameters of a sharded base that may be gathered at a time in training.

    DeepSpeed's own limit of 10^9 would keep small bases whole from the forward to the backward
    pass.
    """
    return min(parameters // LIVE_SHARE, LIVE_PARAMETERS)


def kept_per_token(shape: Shape, width: int, *, gpu: bool) -> float:
    """Return the bytes that the forward pass keeps of each token for the backward pass.

    In every layer: the inputs of both norms in float32; queries, keys, values (repeated for every
    head) and the result of attention; three widths of a gated MLP, four of another. Adapted layers
    also keep their inputs. In float32 layers that read the same input share it; otherwise each
    casts it for itself: on a GPU to the base's precision, which the trainer's autocast sets, on a
    CPU to float32, that of the adapter.
    """
    attention = 4 * shape.heads * shape.head
    mlp = (3 if shape.gated else 4) * shape.inner
    layer = 4 * 2 * shape.hidden + width * (attention + mlp)
    shared = 4 * (2 * shape.hidden + shape.inner) * shape.layers
    inputs = (width if gpu else 4) * shape.inputs
    return shape.layers * layer + (min(shared, inputs) if width == 4 else inputs)


def _sharded(shape: Shape, load: Load) -> float:
    """A share of the base, which offloading moves to CPU memory, and what is gathered at a time.

    That is the largest of: a layer, the embedding table, and DeepSpeed's live parameters in
    training.
    """
    layer = shape.parameters // max(1, shape.layers)
    live = max(layer, shape.words * shape.hidden, live_parameters(shape.parameters))
    gathered = shape.parameters if load.whole else min(live, shape.parameters)
    share = 0 if load.offload and load.gpu else shape.parameters / load.ranks
    return load.width * (share + gathered)


def _adapter(shape: Shape, load: Load) -> float:
    """Weight, gradient and two moments of AdamW, in float32, as the ZeRO stage shards them."""
    share = load.ranks
    moments = 0.0 if load.offload else 8 / (share if load.zero >= 1 else 1)
    gradient = 4 / (share if load.zero >= 2 else 1)
    weight = 4 / (share if load.zero == 3 else 1)
    return shape.trained * (weight + gradient + moments)


def _training(shape: Shape, load: Load) -> float:
    tokens = load.sequences * load.tokens
    kept = kept_per_token(shape, load.width, gpu=load.gpu)
    if load.recomputed:  # the input of every layer, and all of one layer
        kept = load.width * shape.layers * shape.hidden + kept / shape.layers
    scored = load.sequences * load.answer if load.gpu else tokens
    tiles = GPU_TILES if load.gpu else CPU_TILES
    logits = tiles * 4 * min(scored, TILE_TOKENS) * min(shape.words, TILE_WORDS)
    if load.full_logits:
        logits += tokens * shape.words * (2 * load.width + 4)
    return tokens * kept + logits


def _sampling(shape: Shape, load: Load) -> float:
    cache = load.sampled * load.tokens * 2 * shape.layers * shape.kv_heads * shape.head * load.width
    prompt = load.tokens - load.answer
    passing = load.sampled * prompt * (2 * shape.hidden + 3 * shape.inner) * load.width
    drawn = load.sampled * shape.words * 4 * 4  # logits, noise and sums of the next token
    rated = load.sampled * load.answer * shape.words * load.width if load.referenced else 0
    return cache + max(passing, drawn, rated)
