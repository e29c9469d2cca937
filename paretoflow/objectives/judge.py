"""A language model as a judge of answers, by a rubric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event

import numpy as np

from paretoflow.core.errors import ObjectiveError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.judge_client import JudgeClient, Reply
from paretoflow.objectives.judge_questions import TIE, Question, allowed, questions_for
from paretoflow.objectives.judged import Judged, Verdict
from paretoflow.spec.objectives import JudgeObjectiveSpec

_MILLION = 1e6
_CUT = 80


_Asked = tuple[Prompt, str, str | None]
"""Prompt, answer, and the text that it is compared with."""


class JudgeObjective:
    """Asks a model for a score of each answer, several answers at a time.

    An answer that was judged before, in this sweep, by the same model with the same rubric, scale
    and settings, is not judged again.

    Raises:
        MissingExtraError: If the library openai is not installed.
        PluginError: If the key is not in the environment.

    Attributes:
        digest: SHA-256 of the base's answers; empty where none are compared with.
    """

    def __init__(self, spec: JudgeObjectiveSpec, context: ObjectiveContext) -> None:
        self._spec, self._where = spec, f"objective {spec.name}"
        self._client = JudgeClient(spec)
        judge: list[object] = [spec.model, spec.rubric, spec.scale, spec.settings]
        judge += [spec.against] if spec.against else []
        self._base: dict[str, str] = {}
        self.digest = ""
        self._judged = Judged(context.root, digest_of(judge)[:16])

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the judge's score of each answer, shape (b,).

        Raises:
            ObjectiveError: If the endpoint refuses or is away, or no reply to an answer holds a
                score and `on_nonsense` is error; replies so far are kept.
            LedgerError: If a file with replies is damaged.
            StorageError: If storage refuses.
        """
        asked: dict[str, _Asked] = {}
        keys = []
        for prompt, answer in zip(prompts, completions, strict=True):
            rival = self._rival(prompt)
            keys.append(_key(prompt, answer, rival))
            asked[keys[-1]] = (prompt, answer, rival)
        known = self._judged.known()
        open_keys = [key for key in asked if not _is_tie(asked[key])]
        self._judge({k: asked[k] for k in open_keys if not self._is_settled(known.get(k))})
        known = self._judged.known()
        scores = [TIE if _is_tie(asked[k]) else self._value(known[k], asked[k]) for k in keys]
        return np.array(scores, dtype=np.float64)

    @property
    def spent(self) -> float:
        """Return what its replies have cost so far, in the currency of the price."""
        return self._judged.spent

    @property
    def wants_base(self) -> bool:
        """Return whether answers are compared with those of the base."""
        return self._spec.against == "base"

    def compare_with(self, answers: Mapping[str, str]) -> None:
        """Set the base's answers, by the ids of their prompts."""
        self._base = {name: text.strip() for name, text in answers.items()}
        self.digest = digest_of(self._base)

    def _rival(self, prompt: Prompt) -> str | None:
        """Return the text that an answer to a prompt is compared with; None for none."""
        if self._spec.against is None:
            return None
        if self._spec.against == "reference":
            return prompt.reference.strip()
        if prompt.prompt_id not in self._base:
            what = f"the base has no answer to prompt {prompt.prompt_id} to compare with"
            raise ObjectiveError(what, self._where, code="objective-judge")
        return self._base[prompt.prompt_id]

    def _is_settled(self, verdict: Verdict | None) -> bool:
        if verdict is None or verdict.score is not None:
            return verdict is not None
        return self._spec.on_nonsense != "error" and not verdict.cut_off

    def _judge(self, asked: dict[str, _Asked]) -> None:
        """Judge answers, and keep each verdict as it arrives; the first failure ends the others."""
        if not asked:
            return
        stopping = Event()
        with ThreadPoolExecutor(min(self._spec.concurrency, len(asked))) as pool:
            work = [pool.submit(self._verdict, key, one, stopping) for key, one in asked.items()]
            done, _ = wait(work, return_when=FIRST_EXCEPTION)
            stopping.set()  # without effect where all are done
            pool.shutdown(cancel_futures=True)
        for each in done:
            each.result()

    def _verdict(self, key: str, asked: _Asked, stopping: Event) -> None:
        """Ask all questions about one answer, each until a reply holds a score."""
        replies: list[Reply] = []
        scores: list[float] = []
        questions = questions_for(self._spec, *asked)
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

    def _value(self, verdict: Verdict, asked: _Asked) -> float:
        if verdict.score is not None:
            return verdict.score
        if self._spec.on_nonsense != "error":
            return self._spec.on_nonsense
        what = f"{self._spec.model} gave no score in {len(verdict.replies)} replies for prompt "
        what += f"{asked[0].prompt_id}, the last {verdict.replies[-1][:_CUT]!r}; allowed: "
        what += f"{allowed(self._spec)} on the last line"
        hint = "ask for it in the rubric, or set on_nonsense to the score of such an answer"
        raise ObjectiveError(what, self._where, hint, code="objective-judge-reply")


def _is_tie(asked: _Asked) -> bool:
    """Return whether an answer is the very text that it is compared with: nothing to ask."""
    return asked[1] == asked[2]


def _key(prompt: Prompt, answer: str, rival: str | None) -> str:
    facts: list[object] = [prompt.text, [dict(turn) for turn in prompt.messages], answer]
    return digest_of(facts if rival is None else [*facts, rival])
