"""A front scored again on fresh prompts: a whole sweep on the tiny base, and the embedded base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.cli.main import main
from paretoflow.core.errors import UserError
from tests.faults import only_printed, raises
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
PROMPTS = 40


@pytest.fixture(scope="module")
def swept(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep of one run, whose data leaves 30 of 40 prompts over."""
    from paretoflow.engine.loop.driver import Driver
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.ledger import open_ledger
    from tests.benchmarks.methods.inline import InlineBackend
    from tests.unit.engine.runtime.test_executor_reevaluate import Listed

    home = tmp_path_factory.mktemp("home")
    method = {"type": "dpo", "steps": 2, "batch_size": 2, "pairs_per_prompt": 1}
    spec = small_sweep("fresh", tiny_base_dir, home, method)
    rows = [{"prompt": f"Question {i}: what is it about?"} for i in range(PROMPTS)]
    Path(spec.data.path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    root = sweep_root(spec)
    enter_folder(spec, root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    Driver(spec, ledger, InlineBackend(Executor(spec, root, threads=1)), Listed()).run()
    return Path(str(root))


def confirmed(root: Path) -> Any:
    from paretoflow.engine.read.sweep import read_sweep

    return read_sweep(root).confirmation


def asked(root: Path, **options: Any) -> Any:
    from paretoflow.engine.read.sweep import read_sweep
    from paretoflow.engine.session.confirm import Confirming, Subject
    from paretoflow.engine.session.resume import load_sweep_spec
    from paretoflow.storage import as_folder

    view = read_sweep(root)
    subject = Subject.of_sweep(as_folder(root), view, load_sweep_spec(root))
    return view, Confirming(subject, **options)


def test_it_is_cut_off_after_a_point_and_goes_on_with_the_next(swept: Path) -> None:
    view, confirming = asked(swept)
    seen: list[str] = []

    def stop_at_second(progress: Any) -> None:
        seen.append(progress.snapshot_id)
        if progress.done == 1:
            raise KeyboardInterrupt

    assert confirmed(swept) is None
    with pytest.raises(KeyboardInterrupt):
        confirming.run(view.front.points, stop_at_second)
    (file,) = (swept / "confirmed").iterdir()
    first = file.read_bytes()
    told: list[Any] = []
    confirming.run(view.front.points, told.append)
    assert [p.done for p in told] == list(range(len(told)))
    known = confirmed(swept)
    assert known.left_out == ()
    assert {p.snapshot_id for p in view.front.points} == {
        p.reported.snapshot_id for p in known.points
    }
    assert file.read_bytes() != first
    assert known.facts.n == 16  # four for each of the four eval prompts
    assert all(len(p.over_base) == 2 for p in known.points if p.reported.run_id != "base")
    again = file.read_bytes()
    confirming.run(view.front.points, told.append)
    assert file.read_bytes() == again


def test_no_fresh_prompt_is_one_of_the_sweep(swept: Path) -> None:
    from paretoflow.data.fresh import fresh_of
    from paretoflow.data.prompts import Pools, PromptSets, new_prompt

    rows = tuple(new_prompt(f"Row {k}") for k in range(20))
    again = new_prompt("  ROW   3 ")  # the same prompt, spelt otherwise
    sets = PromptSets(rows[:4], rows[4:6], rows[6:8], "")
    found = fresh_of(Pools("here", (*rows, again)), sets, 1, None, lambda prompt: None, 2)
    assert {p.text for p in found.prompts} <= {p.text for p in rows[8:]}
    assert (len(found.prompts), found.available, found.repeated) == (8, 12, 8)
    more = fresh_of(Pools("here", rows), sets, 1, 11, lambda prompt: None, 2)
    assert more.prompts[:8] == found.prompts
    with raises("data-too-few", "12 fresh", "but 13") as caught:
        fresh_of(Pools("here", rows), sets, 1, 13, lambda prompt: None, 2)
    assert "--data FILE; or lower --n to at most 12" in caught.value.hint


def test_near_duplicates_of_a_training_prompt_are_counted() -> None:
    from paretoflow.data.fresh import fresh_of
    from paretoflow.data.prompts import Pools, PromptSets, new_prompt

    train = new_prompt("Why does the old river bend so far to the west before the sea?")
    close = new_prompt("Why does the old river bend so far to the west before the seas?")
    words = [
        "apple",
        "bridge",
        "candle",
        "dragon",
        "ember",
        "forest",
        "garden",
        "harbor",
        "island",
        "jungle",
    ]
    others = tuple(new_prompt(f"{w} {w[::-1]} {w}s {w[:3]}") for w in words)
    sets = PromptSets((train,), (train,), (), "")
    found = fresh_of(Pools("here", (close, *others)), sets, 1, 11, lambda prompt: None, 2)
    assert found.near == 1
    assert found.pairs[0][0].endswith("before the seas?")


def test_the_command_tells_stores_and_picks(
    swept: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["confirm", str(swept), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    known = {p.reported.snapshot_id: p for p in confirmed(swept).points}
    for point in facts["points"]:
        assert list(point["scores"].values()) == list(known[point["snapshot_id"]].scores)
    assert (facts["prompts"], facts["left_out"]) == (16, [])
    assert main(["confirm", str(swept)]) == 0
    text = capsys.readouterr().out
    assert "on 16 fresh prompts" in text
    assert "confirmed (95 %" in text
    assert "confirmed less corrected: " in text
    assert "the base, which nothing selected, tells how the prompts differ: brevity" in text
    assert (
        main(["pick", str(swept), "--prefer", "vowels=1", "--confirmed", "--format", "json"]) == 0
    )
    picked = json.loads(capsys.readouterr().out)
    best = max(facts["points"], key=lambda p: p["scores"]["vowels"])
    assert picked["scores"]["vowels"] == pytest.approx(best["scores"]["vowels"])
    assert main(["export", str(swept), "-o", str(tmp_path / "out")]) == 0
    assert main(["verify", str(tmp_path / "out")]) == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["confirmation"] == facts
    assert "## Confirmed on fresh prompts" in (tmp_path / "out/README.md").read_text()


def test_a_file_of_fresh_prompts_is_another_confirmation(swept: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"Tell me of number {i}."} for i in range(10)]
    rows += [{"prompt": f"question {i}: WHAT is it about?"} for i in range(PROMPTS)]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    view, confirming = asked(swept, file=file, count=8)
    before = set((swept / "confirmed").iterdir())
    known = confirming.run(view.front.points[:1], lambda progress: None)
    assert (known.facts.source, known.facts.n, known.facts.repeated) == ("mine.jsonl", 8, 10)
    assert len(known.left_out) == len(view.front.points) - 1
    (new,) = set((swept / "confirmed").iterdir()) - before
    new.unlink()


def test_changed_inputs_damage_and_wrong_files_are_refused(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    view, confirming = asked(swept, file=tmp_path / "rows.txt")
    with raises("data-unreadable", "rows.txt"):
        confirming.run(view.front.points, lambda progress: None)
    _, gone = asked(swept, file=tmp_path / "none.jsonl")
    with raises("data-not-found", "none.jsonl"):
        gone.run(view.front.points, lambda progress: None)
    data = Path(json.loads((swept / "spec.json").read_text())["data"]["path"])
    kept = data.read_text()
    data.write_text(kept.replace("about?", "for?"))
    with raises("changed-inputs", "prompts differ"):
        asked(swept)[1].run(view.front.points, lambda progress: None)
    data.write_text(kept)
    (file,) = (swept / "confirmed").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:200] + b"x" + whole[201:])
    with raises("damaged", "damaged"):
        confirmed(swept)
    file.write_bytes(whole)
    assert main(["confirm", str(swept), "--n", "99"]) == 2
    assert "30 fresh prompts are there, but 99 are needed" in capsys.readouterr().err


def test_what_a_confirmation_says_by_hand() -> None:
    from paretoflow.core.confirmed import Confirmation, FreshFacts
    from paretoflow.core.evaluation import Evaluation
    from paretoflow.front.confirmed import confirmed_front
    from tests.views import two_objectives

    front = two_objectives().front
    best = front.points[0]  # reported 0.52 at 47.5 words; the second 0.46 at 35.5
    facts = FreshFacts("here", 4, "", 0, 0.0)
    wave = np.array([-1.0, 1, -1, 1])
    scores = {
        p.snapshot_id: np.array([p.scores[0] + 0.01 * wave, p.scores[1] + wave])
        for p in front.points
    }
    scores[best.snapshot_id] = np.array([0.40 + 0.01 * wave, 47.5 + wave])
    scores["base"] = np.array([0.31 + 0.01 * wave, 33.0 + wave])
    known = {name: Evaluation.of_prompts(rows) for name, rows in scores.items()}
    found = confirmed_front(front, Confirmation(facts, known))
    first = found.points[0]
    assert first.scores == pytest.approx((0.40, 47.5))
    assert first.beaten_by == front.points[1].snapshot_id
    assert first.moved == (True, False)
    # the base rides the same wave: what is paired has no error
    assert first.over_base == (pytest.approx((0.09, 0.09)), pytest.approx((14.5, 14.5)))
    half = 3.182446 * np.hypot(0.018, 0.01 / np.sqrt(3))
    assert first.changes[0] == pytest.approx((-0.12 - half, -0.12 + half), rel=1e-5)
    assert not any(p.beaten_by for p in found.points[1:])
    assert found.hypervolume < found.reported
    assert found.base == ()


def test_the_base_tells_how_the_prompts_differ_by_hand() -> None:
    from dataclasses import replace

    from paretoflow.core.confirmed import Confirmation, FreshFacts
    from paretoflow.core.evaluation import Evaluation
    from paretoflow.front.confirmed import confirmed_front
    from paretoflow.report.labels import confirmed_text
    from tests.views import two_objectives

    front = two_objectives().front
    noted = FreshFacts("here", 4, "", 0, 0.0, base=(0.31, 33.0), base_stderr=(0.02, 3.0))
    facts = FreshFacts.from_dict(noted.to_dict())
    wave = np.array([-1.0, 1, -1, 1])
    scores = {
        p.snapshot_id: Evaluation.of_prompts(p.evaluation.scores[:, None] + wave)
        for p in front.points
    }
    scores["base"] = Evaluation.of_prompts(np.array([0.61 + 0.01 * wave, 37.0 + wave]))
    found = confirmed_front(front, Confirmation(facts, scores))
    apart = np.hypot(0.02, 0.01 / np.sqrt(3))
    first, second = found.base
    assert first.change == pytest.approx((0.3 - 3.182446 * apart, 0.3 + 3.182446 * apart), rel=1e-5)
    assert (first.moved, second.moved) == (True, False)
    front = replace(front, hypervolume_corrected=found.hypervolume + 9, hypervolume_ci=(0, 99))
    told = confirmed_text(found, front)
    assert told[1].startswith("confirmed less corrected: -9 (95 % ")
    assert told[2].endswith("coverage 0.31 became 0.61 !, length 33 became 37")


@pytest.fixture(scope="module")
def export(swept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports") / "front"
    assert main(["export", str(swept), "-o", str(out), "--format", "hub-folder"]) == 0
    return out


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    file = tmp_path / "fresh.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"Tell me of {i}."}) + "\n" for i in range(12)))
    return file


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    return " ".join(capsys.readouterr().err.split())


def test_an_export_asks_for_what_it_leaves_out(
    export: Path, fresh: Path, tiny_base_dir: Path, capsys: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.delenv("BASE", raising=False)
    words = ["confirm", str(export)]
    assert "set BASE to the folder of the base model" in refused(words, capsys)
    monkeypatch.setenv("BASE", str(tiny_base_dir))
    assert "no fresh prompts can be drawn from it" in refused(words, capsys)
    assert "--data FILE" in refused(words, capsys)
    assert "one front" in refused([*words, "--snapshot", "0"], capsys)
    assert main(["export", str(export), "-o", str(tmp_path / "x")]) == 2  # an export is no sweep
    changed = tmp_path / "changed"
    shutil.copytree(export, changed)
    (changed / "README.md").write_text("another card")
    told = refused(["confirm", str(changed), "--data", str(fresh)], capsys)
    assert "README.md: was changed" in told
    assert not (changed / "confirmed").exists()


def test_an_export_is_confirmed_and_stays_sound(
    export: Path, fresh: Path, tiny_base_dir: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("BASE", str(tiny_base_dir))
    before = json.loads((export / "manifest.json").read_text())
    words = ["confirm", str(export), "--data", str(fresh), "--n", "9", "--format", "json"]
    capsys.readouterr()
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    after = json.loads((export / "manifest.json").read_text())
    assert after["confirmation"] == facts
    assert facts["notes"] == [
        "not asked: whether they repeat prompts of the sweep, which are private"
    ]
    same = before["files"].keys() - {"README.md"}
    assert {n: before["files"][n] for n in same} == {n: after["files"][n] for n in same}
    assert {p["snapshot_id"] for p in facts["points"]} == {
        p["snapshot_id"] for p in before["points"]
    }
    assert main(["verify", str(export)]) == 0
    assert "confirmed on 9 fresh prompts" in capsys.readouterr().out
    card = (export / "README.md").read_text()
    assert card.count("## Confirmed on fresh prompts") == 1
    assert card.index("## Confirmed") < card.index("## Use one")
    digests = {p.name: p.read_bytes() for p in export.iterdir() if p.is_file()}
    assert main(words) == 0  # all is there: nothing is scored, and nothing changes
    assert {p.name: p.read_bytes() for p in export.iterdir() if p.is_file()} == digests


def test_an_export_that_is_cut_off_at_any_point_is_sound(
    export: Path, fresh: Path, tiny_base_dir: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    from paretoflow.cli import confirm
    from paretoflow.exporters.verify import verify_export

    monkeypatch.setenv("BASE", str(tiny_base_dir))
    out = tmp_path / "cut"
    shutil.copytree(export, out)
    shutil.rmtree(out / "confirmed", ignore_errors=True)
    found: list[int] = []

    def tell(progress: Any) -> None:  # the state that a kill at this point leaves
        verify_export(out)
        found.append(len(list((out / "confirmed").glob("*"))))

    monkeypatch.setattr(confirm, "_tell", tell)
    edit = json.loads((out / "manifest.json").read_text())
    edit["files"] = {k: v for k, v in edit["files"].items() if not k.startswith("confirmed/")}
    (out / "manifest.json").write_text(json.dumps(edit))
    assert main(["confirm", str(out), "--data", str(fresh), "--n", "8"]) == 0
    assert found[0] == 0
    assert set(found[1:]) == {1}


def test_an_export_scores_as_its_sweep_does(
    swept: Path, export: Path, fresh: Path, tiny_base_dir: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    from paretoflow.engine.session.confirm import Confirming
    from paretoflow.engine.session.exported import exported_subject

    monkeypatch.setenv("BASE", str(tiny_base_dir))
    out = tmp_path / "own"
    shutil.copytree(export, out)
    subject = exported_subject(out, own_data=True)
    ours = Confirming(subject, fresh, 8).run(subject.front.points, lambda progress: None)
    view, confirming = asked(shutil.copytree(swept, tmp_path / swept.name), file=fresh, count=8)
    theirs = confirming.run(view.front.points, lambda progress: None)
    for name, scores in theirs.scores.items():
        np.testing.assert_array_equal(ours.scores[name].prompt_scores, scores.prompt_scores)


def test_a_front_whose_adapters_serve_many_preferences_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dataclasses import replace

    from paretoflow.cli.confirm import _points
    from tests.views import changed, two_objectives

    front = two_objectives().front
    served = [
        changed(p, snapshot_id=f"r0-a0-s0001-c{k:02d}", condition={"temperature": 1.0 + k})
        for k, p in enumerate(front.points)
    ]
    with raises("usage-no-point", "scored") as caught:
        _points(replace(front, points=tuple(served)), [], "here")
    assert "score its answers on prompts of your own" in caught.value.hint
    assert "its adapter serves many preferences" in capsys.readouterr().err
    kept = _points(replace(front, points=(front.points[0], *served[1:])), [], "here")
    assert kept == [front.points[0]]


def test_code_that_an_export_names_runs_only_if_the_user_says_so(tmp_path: Path) -> None:
    from paretoflow.engine.session.exported import _require_trust
    from paretoflow.spec.sweep import SweepSpec

    plain = {
        "name": "s",
        "model": {"type": "pretrained", "path": "a/b", "trust_remote_code": True},
        "objectives": [
            {"name": "mine", "type": "import", "path": "mod:score", "range": [0, 1], "ref": 0,
             "direction": "maximize"},
            {"name": "short", "type": "length", "range": [0, 9], "ref": 9, "direction": "minimize"},
        ],
    }  # fmt: skip
    spec = SweepSpec.model_validate(plain)
    with pytest.raises(UserError) as caught:
        _require_trust(spec, tmp_path, set())
    assert caught.value.hint == "if you trust it, --set model.trust_remote_code=true"
    with raises("usage-private", "mod:score") as caught:
        _require_trust(spec, tmp_path, {"model.trust_remote_code"})
    assert caught.value.hint == "if you trust it, --set objectives.0.path=mod:score"
    _require_trust(spec, tmp_path, {"model.trust_remote_code", "objectives.0.path"})


def test_the_money_of_judges_is_bounded_recorded_and_not_paid_twice(
    tiny_base_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reply costs 1e-4."""
    pytest.importorskip("openai")
    import paretoflow
    from paretoflow.objectives.judged import spent_on_judges
    from paretoflow.spec.sweep import SweepSpec
    from tests.benchmarks.methods.inline import run_inline
    from tests.judge_endpoint import judge_endpoint

    home = tmp_path / "judged"
    home.mkdir()
    method = {"type": "dpo", "steps": 4, "batch_size": 4, "learning_rate": 0.02}
    plain = small_sweep("fresh", tiny_base_dir, home, method)
    rows = [{"prompt": f"Question {i}: what is it about?"} for i in range(PROMPTS)]
    Path(plain.data.path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = plain.model_dump(mode="json")
    document["proposer"] = {"type": "lattice"}
    with judge_endpoint() as endpoint:
        judge = {"type": "judge", "name": "long", "rubric": "Longer is better.", "model": "m"}
        judge |= {"base_url": endpoint.url, "price": {"input": 1, "output": 0}, "ref": 0}
        document["objectives"].append({**judge, "range": [1, 10]})
        run_inline(SweepSpec.model_validate(document))
        root, before = home / "fresh", spent_on_judges(home / "fresh")
        points = paretoflow.open_sweep(root).front().view.points
        assert len(points) > 1, "a point must be left when the base is paid"
        words = ["confirm", str(root), "--n", "6"]
        assert main([*words, "--max-cost", "1e-4"]) == 2  # reached by the base
        fault = only_printed(capsys.readouterr().err, "usage-cost", "0.0001", "--max-cost")
        assert str(root) in fault
        assert len(spent_file(root).scores) == 1, "the base's scores are kept"
        assert main([*words, "--format", "json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        replies = endpoint.replies
        assert main([*words, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == facts
        assert endpoint.replies == replies, "nothing is judged twice"
    assert facts["judged"] == pytest.approx(spent_on_judges(root) - before)
    assert facts["judged"] > 1e-4
    assert spent_on_judges(root) == pytest.approx(replies * 1e-4)


def spent_file(root: Path) -> Any:
    from paretoflow.engine.read.confirmations import ConfirmationFile
    from paretoflow.storage import as_folder

    (file,) = (root / "confirmed").iterdir()
    return ConfirmationFile(as_folder(root), file.stem)
