"""Sample answers whose text depends on weights, prompt and seed alone.

A token is drawn by the Gumbel-max trick: argmax over the vocabulary of logit / temperature + g,
with g = -log(-log u) from the row's own generator. That is a draw from the softmax, but neither
the other rows of a batch nor the padding can touch the noise, so batch size, order and padding
leave every answer as it is. Two policies that sample with the same seeds share the noise, which
makes their scores comparable pairwise.

The remaining difference is rounding: with other batch shapes a logit may differ in its last bits,
and a token flips if the two best scores are closer than that (about one in a million tokens in
float32, and one in a few hundred in bfloat16). With the same batch size and prompts, results repeat
exactly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel

from paretoflow.core.errors import DataError
from paretoflow.lm.base import LanguageModel, decode, encode, evaluating
from paretoflow.lm.finite import logits_error
from paretoflow.lm.prefill import Prefix, extend, prefill
from paretoflow.lm.stops import StopTexts
from paretoflow.lm.topk import topk_of_tokens
from paretoflow.spec.models import GenerationSpec

_COMPACT_BELOW = 0.75
"""Share of unfinished rows below which finished rows leave the batch, which copies the cache."""


@dataclass(frozen=True)
class Answer:
    """One sampled answer.

    Args:
        text: Decoded without special tokens, up to the first stop text, as a continuation of the
            prompt: most texts begin with a space. `scoring.panel` strips white space at the ends
            where scorers need that.
        token_ids: As sampled; ends with the end-of-text token if the model sampled one, or with the
            token that completes a stop text.
        logprob: Sum of the tokens' log-probabilities in nats, at temperature 1 whatever the
            temperature of sampling.
        topk: Means over its tokens of `topk_of_tokens`, likewise at temperature 1: raw entropy and
            renormalised entropy (bits), mass.
        seconds: Its equal share of the time of its batch.
    """

    text: str
    token_ids: tuple[int, ...]
    logprob: float
    topk: tuple[float, float, float]
    seconds: float = field(default=0.0, compare=False)

    @property
    def tokens(self) -> int:
        """Return the number of sampled tokens, the end-of-text token included."""
        return len(self.token_ids)


def generate(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompts: Sequence[str],
    seeds: Sequence[int],
    gen: GenerationSpec,
    beat: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """Sample one answer for each prompt, in the order of the prompts.

    The model may have an adapter or be the bare base; its mode is restored. A prompt may occur more
    than once, with different seeds.

    Args:
        model: The model that answers.
        lm: Its tokenizer, device and base.
        prompts: As text.
        seeds: One for each prompt.
        gen: How to sample.
        beat: Called after every batch.

    Raises:
        DataError: If a prompt is empty, or has no room left for `gen.max_new_tokens`.
    """
    return in_order(sample(model, lm, prompts, seeds, gen), beat)


def in_order(
    batches: Iterable[tuple[list[int], list[Answer]]], beat: Callable[[], None] = lambda: None
) -> list[Answer]:
    """Return the answers of all batches in the order of their prompts; beat after each batch."""
    found: dict[int, Answer] = {}
    for rows, answers in batches:
        found.update(zip(rows, answers, strict=True))
        beat()
    return [found[row] for row in range(len(found))]


def sample(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompts: Sequence[str],
    seeds: Sequence[int],
    gen: GenerationSpec,
    known: Container[int] = (),
) -> Iterator[tuple[list[int], list[Answer]]]:
    """Sample as `generate`, batch by batch: yield the indices of the prompts, and the answers.

    Batches do not depend on `known`, and so neither do answers.

    Args:
        model: The model that answers.
        lm: Its tokenizer, device and base.
        prompts: As text.
        seeds: One for each prompt.
        gen: How to sample.
        known: Indices of prompts with an answer; a batch of only these is skipped.

    Raises:
        DataError: If a prompt is empty, or has no room left for `gen.max_new_tokens`.
        ModelError: If the bare base's logits are not finite.
        NonFiniteLossError: If those of a model with an adapter are not.
    """
    ids = encode(lm, prompts)
    check_room(lm, ids, gen.max_new_tokens)
    stops = StopTexts.of(lm, gen)
    for batch in batches_of(ids, gen.batch_size):
        if all(i in known for i in batch):
            continue
        rows = [_Row(seeds[i], lm.device, i) for i in batch]
        with evaluating(model), _timed(rows, lm.device) as together:
            prefix = prefill(model, lm, [ids[i] for i in batch])
            _decode(model, lm, prefix, together, gen)
        yield batch, [_answer(lm, row, ids[row.number], stops) for row in rows]


def _answer(lm: LanguageModel, row: _Row, prompt: Sequence[int], stops: StopTexts) -> Answer:
    n = len(row.token_ids)
    return Answer(
        stops.before(decode(lm, prompt, row.token_ids)),
        tuple(row.token_ids),
        row.logprob,
        (row.topk[0] / n, row.topk[1] / n, row.topk[2] / n),
        row.seconds,
    )


def cut_off(answer: Answer, lm: LanguageModel, gen: GenerationSpec) -> bool:
    """Return whether an answer ends only at the length limit."""
    if answer.tokens < gen.max_new_tokens or answer.token_ids[-1] in lm.eos_ids:
        return False
    return not StopTexts.of(lm, gen).ended(answer.token_ids)


@dataclass
class _Row:
    """An answer that is being sampled."""

    seed: int
    device: str
    number: int
    token_ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    topk: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    seconds: float = 0.0
    done: bool = False

    def __post_init__(self) -> None:
        self.generator = torch.Generator(self.device).manual_seed(self.seed)


@contextmanager
def _timed(rows: list[_Row], device: str) -> Iterator[list[_Row]]:
    """Yield the rows, and divide the time of the block among them."""
    started = _now(device)
    yield rows
    share = (_now(device) - started) / len(rows)
    for row in rows:
        row.seconds = share


def _now(device: str) -> float:
    """Return the time in seconds, after the device has finished its queued work."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _decode(
    model: PreTrainedModel,
    lm: LanguageModel,
    prefix: Prefix,
    rows: list[_Row],
    gen: GenerationSpec,
) -> None:
    """Sample until every row is done; finished rows leave the batch in groups."""
    eos, stops = lm.eos_ids, StopTexts.of(lm, gen)
    for step in range(gen.max_new_tokens):
        tokens = _draw(prefix.logits, rows, gen)
        logprobs = prefix.logits.log_softmax(-1).gather(1, tokens[:, None])
        seen = torch.cat([logprobs, topk_of_tokens(prefix.logits)], dim=1).tolist()
        for row, token, (logprob, *topk) in zip(rows, tokens.tolist(), seen, strict=True):
            if not row.done:
                if not math.isfinite(logprob):  # true if any logit of the step is not finite
                    place = f"token {step + 1} of the answer to prompt {row.number}"
                    raise logits_error(model, lm, place)
                row.token_ids.append(token)
                row.logprob += logprob
                row.topk = [a + b for a, b in zip(row.topk, topk, strict=True)]
                row.done = token in eos or stops.ended(row.token_ids)
        alive = [i for i, row in enumerate(rows) if not row.done]
        if not alive or step + 1 == gen.max_new_tokens:
            return
        if len(alive) < _COMPACT_BELOW * len(rows):
            prefix.select(alive)
            rows, tokens = [rows[i] for i in alive], tokens[alive]
        extend(model, lm, prefix, tokens[:, None], torch.ones_like(tokens)[:, None])


def nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return logits (b, v) with -inf for every token outside the nucleus.

    The nucleus is the fewest tokens whose probabilities sum to at least `top_p`. By hand:
    probabilities .5, .3 and .2 keep the first two at .6 and at .8, and all at .9.

    References:
        Holtzman et al. 2020, arXiv 1904.09751, eq. 2.
    """
    if top_p == 1:
        return logits
    ordered, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    outside = ordered.cumsum(-1) - ordered >= top_p
    return logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)


def _draw(logits: torch.Tensor, rows: Sequence[_Row], gen: GenerationSpec) -> torch.Tensor:
    """Return one token per row, shape (b,): the Gumbel-max of its logits, or the plain maximum."""
    if gen.temperature == 0:
        return logits.argmax(-1)
    scaled = nucleus(logits / gen.temperature, gen.top_p)
    noise = torch.full_like(logits, 0.5)
    for noise_row, row in zip(noise, rows, strict=True):
        if not row.done:
            noise_row.uniform_(generator=row.generator)
    return (scaled - (-noise.log()).log()).argmax(-1)


def batches_of(ids: Sequence[list[int]], size: int) -> Iterator[list[int]]:
    """Yield the numbers of prompts in batches, those of like length together."""
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i], i))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def check_room(lm: LanguageModel, ids: Sequence[Sequence[int]], new_tokens: int) -> None:
    """Refuse prompts that leave no room for an answer in the base's window.

    Raises:
        DataError: If there is one.
    """
    limit = lm.context_tokens
    for index, prompt in enumerate(ids):
        if limit is not None and len(prompt) + new_tokens > limit:
            raise DataError(
                f"prompt {index} has {len(prompt)} tokens and may be answered by {new_tokens}; "
                f"{lm.name} takes {limit} in all",
                hint="shorten the prompts (data.max_passage_words) or "
                "lower model.generation.max_new_tokens",
                code="data-too-long",
            )
