"""A language model as a judge of answers, by a rubric."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event

import numpy as np

from paretoflow.core.errors import ObjectiveError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.judge_client import JudgeClient, Reply
from paretoflow.objectives.judge_questions import Question, allowed, questions_for
from paretoflow.objectives.judged import Judged, Verdict
from paretoflow.spec.objectives import JudgeObjectiveSpec

_MILLION = 1e6
_CUT = 80


class JudgeObjective:
    """Asks a model for a score of each answer, several answers at a time.

    An answer that was judged before, in this sweep, by the same model with the same rubric, scale
    and settings, is not judged again.

    Raises:
        MissingExtraError: If the library openai is not installed.
        PluginError: If the key is not in the environment.
    """

    def __init__(self, spec: JudgeObjectiveSpec, context: ObjectiveContext) -> None:
        self._spec, self._where = spec, f"objective {spec.name}"
        self._client = JudgeClient(spec)
        judge: list[object] = [spec.model, spec.rubric, spec.scale, spec.settings]
        judge += [spec.against] if spec.against else []
        self._judged = Judged(context.root, digest_of(judge)[:16])

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the judge's score of each answer, shape (b,).

        Raises:
            ObjectiveError: If the endpoint refuses or is away, or no reply to an answer holds a
                score and `on_nonsense` is error; replies so far are kept.
            LedgerError: If a file with replies is damaged.
            StorageError: If storage refuses.
        """
        keys = [_key(self._spec, *pair) for pair in zip(prompts, completions, strict=True)]
        asked = dict(zip(keys, zip(prompts, completions, strict=True), strict=True))
        known = self._judged.known()
        self._judge({key: asked[key] for key in asked if not self._is_settled(known.get(key))})
        known = self._judged.known()
        return np.array([self._value(known[key], asked[key]) for key in keys], dtype=np.float64)

    def _is_settled(self, verdict: Verdict | None) -> bool:
        if verdict is None or verdict.score is not None:
            return verdict is not None
        return self._spec.on_nonsense != "error" and not verdict.cut_off

    def _judge(self, asked: dict[str, tuple[Prompt, str]]) -> None:
        """Judge answers, and keep each verdict as it arrives; the first failure ends the others."""
        if not asked:
            return
        stopping = Event()
        with ThreadPoolExecutor(min(self._spec.concurrency, len(asked))) as pool:
            work = [pool.submit(self._verdict, key, *pair, stopping) for key, pair in asked.items()]
            done, _ = wait(work, return_when=FIRST_EXCEPTION)
            stopping.set()  # without effect where all are done
            pool.shutdown(cancel_futures=True)
        for each in done:
            each.result()

    def _verdict(self, key: str, prompt: Prompt, answer: str, stopping: Event) -> None:
        """Ask all questions about one answer, each until a reply holds a score."""
        replies: list[Reply] = []
        scores: list[float] = []
        questions = questions_for(self._spec, prompt, answer)
        try:
            for question in questions:
                score = self._ask(question, replies, stopping)
                if score is None:
                    break
                scores.append(score)
        except ObjectiveError:
            stopping.set()  # no other answer is begun
            raise
        finally:
            if replies:  # they are paid, whatever comes after
                whole = len(scores) == len(questions)
                score = sum(scores) / len(scores) if whole else None
                self._keep(key, score, replies, cut_off=not whole and stopping.is_set())

    def _ask(self, question: Question, replies: list[Reply], stopping: Event) -> float | None:
        """Add the replies to one question; return the score of the last."""
        for _ in range(self._spec.asks):
            if stopping.is_set():
                return None
            replies.append(self._client.ask(question.messages, stopping))
            score = question.read(replies[-1].text)
            if score is not None:
                return score
        return None

    def _keep(
        self, key: str, score: float | None, replies: Sequence[Reply], *, cut_off: bool
    ) -> None:
        price, texts = self._spec.price, tuple(reply.text for reply in replies)
        counts = [(reply.tokens_in, reply.tokens_out) for reply in replies]
        tokens_in = sum(count or 0 for count, _ in counts)
        tokens_out = sum(count or 0 for _, count in counts)
        paid = 0.0
        if price is not None:
            paid = (price.input * tokens_in + price.output * tokens_out) / _MILLION
        self._judged.keep(Verdict(key, score, texts, tokens_in, tokens_out, paid, cut_off))
        if price is not None and any(None in count for count in counts):
            what = f"{self._spec.model} at {self._spec.base_url} does not report its tokens"
            hint = "without them nothing can be counted; remove objectives.price"
            raise ObjectiveError(what, self._where, hint, code="objective-judge")

    def _value(self, verdict: Verdict, asked: tuple[Prompt, str]) -> float:
        if verdict.score is not None:
            return verdict.score
        if self._spec.on_nonsense != "error":
            return self._spec.on_nonsense
        what = f"{self._spec.model} gave no score in {len(verdict.replies)} replies for prompt "
        what += f"{asked[0].prompt_id}, the last {verdict.replies[-1][:_CUT]!r}; allowed: "
        what += f"{allowed(self._spec)} on the last line"
        hint = "ask for it in the rubric, or set on_nonsense to the score of such an answer"
        raise ObjectiveError(what, self._where, hint, code="objective-judge-reply")


def _key(spec: JudgeObjectiveSpec, prompt: Prompt, answer: str) -> str:
    facts: list[object] = [prompt.text, [dict(turn) for turn in prompt.messages], answer]
    return digest_of(facts if spec.against is None else [*facts, prompt.reference])
