"""A judge at a local endpoint: scores, nonsense, refusals, outages, money, and what is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.protocols import ComparesWithBase, Objective, Prompt
from paretoflow.objectives import build, judge_client
from paretoflow.objectives.judge_client import Rate, wait_s
from paretoflow.objectives.judge_questions import preference_in, questions_for, score_in
from paretoflow.objectives.judged import spent_on_judges
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.objectives import JudgeObjectiveSpec
from tests.faults import raises
from tests.judge_endpoint import JudgeEndpoint, by_length, judge_endpoint

pytest.importorskip("openai")

KEY = "plain-words-that-are-a-key"
PROMPTS = [Prompt(f"p{i}", f"Question {i}?") for i in range(6)]
ANSWERS = ["a", "b" * 15, "c" * 25, "d" * 35, "e" * 45, "f" * 55]
SCORES = [1, 2, 3, 4, 5, 6]
PRICE = {"input": 2.0, "output": 50.0}
EACH = (2.0 * 100 + 50.0 * 2) / 1e6
"""Price of one reply of the endpoint: 100 tokens read, 2 written."""


SILENCE_S = 4.0


def patience(trouble: Any) -> float:
    """Return the time limit of a request, which only an endpoint that is silent may reach."""
    return 1.0 if trouble == SILENCE_S else 60.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_client, "FIRST_WAIT_S", 0.01)


@pytest.fixture
def endpoint() -> Iterator[JudgeEndpoint]:
    with judge_endpoint() as found:
        yield found


def spec_of(endpoint: JudgeEndpoint, **more: Any) -> JudgeObjectiveSpec:
    keys: dict[str, Any] = {"name": "kind", "type": "judge", "rubric": "Be kind.", "retries": 2}
    keys |= {"model": "a-judge", "base_url": endpoint.url, "price": PRICE, "timeout_s": 5}
    return JudgeObjectiveSpec(**{**keys, **more})


def judge(endpoint: JudgeEndpoint, root: Path | None = None, **more: Any) -> Objective:
    return build(spec_of(endpoint, **more), root=root)


def scored(objective: Objective, prompts: Any = PROMPTS, answers: Any = ANSWERS) -> list[float]:
    scores: list[float] = (
        ObjectivePanel(["kind"], [objective]).score(prompts, answers)[:, 0].tolist()
    )
    return scores


def test_each_answer_gets_the_judges_score_in_order(endpoint: JudgeEndpoint) -> None:
    together = threading.Barrier(3, timeout=60)  # broken unless three requests meet, twice

    def meeting(body: dict[str, Any]) -> str:
        together.wait()
        return by_length(body)

    endpoint.says = meeting
    assert scored(judge(endpoint, concurrency=3)) == SCORES
    assert endpoint.most_at_once == 3
    body = endpoint.bodies[0]
    assert (body["model"], body["temperature"]) == ("a-judge", 0.0)


def test_the_judge_reads_rubric_scale_turns_and_answer(endpoint: JudgeEndpoint) -> None:
    turns = ({"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two!"})
    prompt = Prompt("p", "<rendered>", messages=turns)
    (question,) = questions_for(spec_of(endpoint, scale=(0, 5)), prompt, "Three.")
    system, user = question.messages
    assert system["content"].startswith("Be kind.")
    assert "from 0 to 5" in system["content"]
    for part in ("user: One?", "assistant: Two!", "<answer>\nThree.\n</answer>"):
        assert part in user["content"]
    assert "<rendered>" not in user["content"]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        *(("7", 7.0), ("Score: 7", 7.0), ("**7/10**", 7.0), ("It is good.\n\n7.5\n", 7.5)),
        *(("score is 10.", 10.0), ("+3", 3.0)),
        *(("7 or 8", None), ("11", None), ("0.5", None), ("7/100", None), ("seven", None)),
        *(("I give it a 7", None), ("7\nbecause", None), ("", None), ("  \n ", None)),
        *(("nan", None), ("-7", None), ("1e1", None), ("7,5", None), ("\u0667", None)),
    ],
)
def test_a_score_is_read_strictly(reply: str, score: float | None) -> None:
    assert score_in(reply, (1.0, 10.0)) == score


def test_what_was_judged_is_not_judged_again(endpoint: JudgeEndpoint, tmp_path: Path) -> None:
    first = judge(endpoint, tmp_path)
    assert scored(first) == scored(first) == SCORES
    assert scored(judge(endpoint, tmp_path, concurrency=1, timeout_s=9)) == SCORES
    doubled = scored(judge(endpoint, tmp_path), PROMPTS[:1] * 3, ANSWERS[:1] * 3)
    assert doubled == SCORES[:1] * 3
    assert endpoint.replies == 6
    assert spent_on_judges(tmp_path) == pytest.approx(6 * EACH)


@pytest.mark.parametrize(
    "other", [{"rubric": "Be harsh."}, {"model": "b"}, {"scale": (0, 10)}, {"settings": {}}]
)
def test_another_judge_judges_anew(
    endpoint: JudgeEndpoint, tmp_path: Path, other: dict[str, Any]
) -> None:
    scored(judge(endpoint, tmp_path))
    scored(judge(endpoint, tmp_path, **other))
    assert endpoint.replies == 12


def test_two_workers_share_what_either_paid_for(endpoint: JudgeEndpoint, tmp_path: Path) -> None:
    one, other = judge(endpoint, tmp_path), judge(endpoint, tmp_path)
    scored(one, PROMPTS[:3], ANSWERS[:3])
    assert scored(other) == SCORES
    assert scored(one) == SCORES
    assert endpoint.replies == 6


@pytest.mark.few(3)
@pytest.mark.parametrize("trouble", [429, 500, None, 503, 408, SILENCE_S])
def test_trouble_that_passes_is_waited_out(endpoint: JudgeEndpoint, trouble: Any) -> None:
    endpoint.first = [trouble, trouble]
    assert scored(judge(endpoint, timeout_s=patience(trouble), concurrency=2)) == SCORES
    assert len(endpoint.bodies) == 8
    assert endpoint.replies == 6


def test_the_endpoint_says_how_long_to_wait(
    endpoint: JudgeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    class Told(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return False

    endpoint.first = [
        (429, {"Retry-After": "7"}),
        (503, {"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"}),
    ]
    client = judge_client.JudgeClient(spec_of(endpoint))
    assert client.ask([{"role": "user", "content": "<answer>\n\n</answer>"}], Told()).text == "1"
    assert 7 <= waits[0] <= 7 * 1.25
    assert waits[1] == 0


def test_waits_double_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_client, "FIRST_WAIT_S", 1.0)
    monkeypatch.setattr(judge_client.random, "random", lambda: 0.0)
    assert [wait_s(n, None) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [wait_s(0, 5.0), wait_s(0, 1e6)] == [5, 600]


def test_requests_keep_to_the_rate() -> None:
    now, slept = [0.0], []
    rate = Rate(30, lambda: now[0], slept.append)
    for _ in range(3):
        rate.wait()
    now[0] = 100.0
    rate.wait()
    assert slept == [2.0, 4.0]


@pytest.mark.few(2)
@pytest.mark.parametrize("trouble", [429, 503, SILENCE_S, None])
def test_trouble_that_stays_is_an_error_and_keeps_what_was_paid(
    endpoint: JudgeEndpoint, tmp_path: Path, trouble: Any
) -> None:
    from paretoflow.engine.failures.outages import outage_of

    scored(judge(endpoint, tmp_path), PROMPTS[:4], ANSWERS[:4])
    endpoint.first = [trouble] * 6
    with raises(
        "objective-judge", "objective kind", "a-judge", endpoint.url, "3 requests"
    ) as caught:
        scored(judge(endpoint, tmp_path, timeout_s=patience(trouble)))
    assert outage_of(caught.value) is not None  # it costs the run no retry
    endpoint.first.clear()
    assert scored(judge(endpoint, tmp_path)) == SCORES
    assert endpoint.replies == 6


@pytest.mark.few(1)
@pytest.mark.parametrize("status", [404, 400, 422])
def test_a_refusal_is_not_repeated(endpoint: JudgeEndpoint, status: int) -> None:
    endpoint.first = [status] * 9
    with raises("objective-judge", "objective kind", str(status)):
        scored(judge(endpoint, concurrency=1))
    assert len(endpoint.bodies) == 1


def test_nonsense_is_asked_again_then_paid_and_an_error(
    endpoint: JudgeEndpoint, tmp_path: Path
) -> None:
    endpoint.first = ["I like it", "", "eleven"]
    with raises("objective-judge-reply", "objective kind", "p0", "eleven", "3 replies", "1 to 10"):
        scored(judge(endpoint, tmp_path), PROMPTS[:1], ANSWERS[:1])
    assert spent_on_judges(tmp_path) == pytest.approx(3 * EACH)
    endpoint.first = ["hm"]
    assert scored(judge(endpoint, tmp_path), PROMPTS[:1], ANSWERS[:1]) == [1]
    assert spent_on_judges(tmp_path) == pytest.approx(5 * EACH)


def test_nonsense_can_have_a_declared_score_once_for_all(
    endpoint: JudgeEndpoint, tmp_path: Path
) -> None:
    endpoint.first = ["?"] * 2
    keys: dict[str, Any] = {"asks": 2, "on_nonsense": 2.5}
    for _ in range(2):
        assert scored(judge(endpoint, tmp_path, **keys), PROMPTS[:1], ANSWERS[:1]) == [2.5]
    assert endpoint.replies == 2


def test_a_judge_that_reports_no_tokens_cannot_have_a_price(endpoint: JudgeEndpoint) -> None:
    endpoint.usage = None
    with raises("objective-judge", "does not report its tokens", "price"):
        scored(judge(endpoint))
    assert scored(judge(endpoint, price=None)) == SCORES


def test_the_key_comes_from_the_environment_and_is_never_told(
    endpoint: JudgeEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import traceback

    endpoint.key = KEY
    monkeypatch.setenv("OWN_KEY", KEY)
    assert scored(judge(endpoint, tmp_path, api_key_env="OWN_KEY")) == SCORES
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and KEY in f.read_text()]
    endpoint.key = "another"
    with raises("objective-judge", "401") as caught:
        scored(judge(endpoint, None, api_key_env="OWN_KEY"))
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__cause__)
    assert "wrong key" in told
    assert KEY not in told
    monkeypatch.setenv("OWN_KEY", " ")
    with raises("plugin-judge-key", "OWN_KEY", "objective kind"):
        judge(endpoint, api_key_env="OWN_KEY")


def test_a_missing_library_names_the_extra(
    endpoint: JudgeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    with raises("missing-extra", "objective kind", "openai", "paretoflow[judge]"):
        judge(endpoint)


def test_a_damaged_file_of_verdicts_is_told(endpoint: JudgeEndpoint, tmp_path: Path) -> None:
    scored(judge(endpoint, tmp_path))
    for file in (tmp_path / "judged").rglob("*.jsonl"):
        file.write_text(json.dumps({"key": 1}))
    with raises("objective-raised", "judged"):
        scored(judge(endpoint, tmp_path))


def test_many_threads_lose_no_verdict(tmp_path: Path) -> None:
    from paretoflow.objectives.judged import Judged, Verdict

    kept = Judged(tmp_path, "j")
    verdicts = [Verdict(f"k{i}", float(i), ("x",), 1, 1, 1e-9 * i) for i in range(60)]
    threads = [
        threading.Thread(target=lambda part=part: [kept.keep(v) for v in part])
        for part in np.array_split(np.array(verdicts, dtype=object), 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Judged(tmp_path, "j").known() == {v.key: v for v in verdicts}
    assert spent_on_judges(tmp_path) == pytest.approx(1e-9 * sum(range(60)))


REFERENCES = [Prompt(f"p{i}", "Which?", reference="r" * n) for i, n in enumerate((1, 9, 5))]


def longer(body: dict[str, Any]) -> str:
    """Return which of two answers is longer."""
    told = body["messages"][-1]["content"]
    a, b = (told.split(f"<answer {name}>\n")[1].split(f"\n</answer {name}>")[0] for name in "AB")
    return "TIE" if len(a) == len(b) else "A" if len(a) > len(b) else "B"


def test_against_the_reference_both_orders_are_asked() -> None:
    with judge_endpoint(says=longer) as endpoint:
        objective = judge(endpoint, against="reference")
        assert scored(objective, REFERENCES, ["x" * 5] * 3) == [1.0, 0.0, 0.5]
        assert scored(objective, REFERENCES, [p.reference for p in REFERENCES]) == [0.5] * 3
        assert endpoint.replies == 6
        shown = endpoint.judged()
        assert len({"".join(sorted(text)) for text in shown}) == 3  # the same parts, twice each
        assert len(set(shown)) == 6


@pytest.mark.parametrize(("always", "score"), [("A", 0.5), ("B", 0.5), ("TIE", 0.5)])
def test_a_judge_with_an_eye_for_the_place_alone_has_no_preference(
    always: str, score: float
) -> None:
    with judge_endpoint(says=lambda body: always) as endpoint:
        objective = judge(endpoint, against="reference")
        assert scored(objective, REFERENCES[:1], ["xx"]) == [score]


def test_another_reference_is_another_question(tmp_path: Path) -> None:
    with judge_endpoint(says=longer) as endpoint:
        other = [Prompt("p0", "Which?", reference="r" * 20)]
        assert scored(judge(endpoint, tmp_path, against="reference"), REFERENCES[:1], ["xx"]) == [1]
        assert scored(judge(endpoint, tmp_path, against="reference"), other, ["xx"]) == [0]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        *(("A", 1.0), ("b", 0.0), ("Tie", 0.5), ("**A**", 1.0), ("Because.\n\nAnswer B.", 0.0)),
        *(("Verdict: A", 1.0), ("A or B", None), ("C", None), ("", None), ("A\nindeed", None)),
    ],
)
def test_a_preference_is_read_strictly(reply: str, score: float | None) -> None:
    assert preference_in(reply, first=True) == score
    assert preference_in(reply, first=False) == (None if score is None else 1 - score)


def test_nonsense_that_another_failure_cut_off_is_not_counted(
    endpoint: JudgeEndpoint, tmp_path: Path
) -> None:
    endpoint.first = ["hm", 400]
    keys: dict[str, Any] = {"on_nonsense": 1.5, "concurrency": 1}
    with raises("objective-judge", "400"):
        scored(judge(endpoint, tmp_path, **keys), PROMPTS[5:], ANSWERS[5:])
    assert spent_on_judges(tmp_path) == pytest.approx(EACH)
    assert scored(judge(endpoint, tmp_path, **keys), PROMPTS[5:], ANSWERS[5:]) == [6]


def test_against_the_base_its_answers_are_the_rivals(tmp_path: Path) -> None:
    base = {p.prompt_id: " yyy\n" for p in REFERENCES}
    with judge_endpoint(says=longer) as endpoint:
        objective = judge(endpoint, tmp_path, against="base")
        assert isinstance(objective, ComparesWithBase)
        assert objective.wants_base
        objective.compare_with(base)
        first = ObjectivePanel(["kind"], [objective]).digests
        assert scored(objective, REFERENCES, ["x", "xxxx", "yyy "]) == [0.0, 1.0, 0.5]
        assert endpoint.replies == 4  # the base's own answer is a tie without a question
        objective.compare_with(dict.fromkeys(base, "z"))
        assert ObjectivePanel(["kind"], [objective]).digests != first  # other kept scores
        assert scored(objective, REFERENCES[:1], ["xx"]) == [1.0]
        with raises("objective-judge", "objective kind", "p9"):
            scored(objective, [Prompt("p9", "Which?")], ["x"])
        assert not judge(endpoint, tmp_path, against="reference").wants_base  # type: ignore[attr-defined]
