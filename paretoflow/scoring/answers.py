"""The answers of an evaluation as a file, a row for each prompt."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.protocols import Prompt
from paretoflow.scoring.arrow_files import write_table
from paretoflow.storage import Root, as_folder


def answers_path(root: Root, snapshot_id: str, draw: int = 0) -> str:
    """Return the path or URI of the file with a checkpoint's answers.

    Further draws have files of their own, for instance `…-s0040-d01.arrow`.
    """
    suffix = f"-d{draw:02d}" if draw else ""
    return f"{as_folder(root)}/answers/{snapshot_id}{suffix}.arrow"


def write_answers(
    path: str, prompts: Sequence[Prompt], names: Sequence[str], result: Evaluation
) -> None:
    """Write the answers of an evaluation as one Arrow file, a row per prompt.

    Columns: prompt_id, prompt, reference, completion, and the raw score of each objective by name.
    """
    columns = {
        "prompt_id": [p.prompt_id for p in prompts],
        "prompt": [p.text for p in prompts],
        "reference": [p.reference for p in prompts],
        "completion": list(result.completions),
    }
    arrays = [pa.array(column, pa.string()) for column in columns.values()]
    arrays += [pa.array(row, pa.float64()) for row in result.prompt_scores]
    write_table(path, pa.table(arrays, names=[*columns, *names]))
