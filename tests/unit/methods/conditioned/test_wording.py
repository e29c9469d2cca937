from __future__ import annotations

import numpy as np

from paretoflow.methods.conditioned.prompts import (
    direction_numbers,
    direction_prefix,
    goals_prefix,
    put_before,
)

NAMES = ("coverage", "length")


def test_words_by_hand():
    assert goals_prefix(NAMES, np.array([2.0, -0.8])) == "<coverage> 2.0 <length> -0.8\n"
    assert direction_numbers(np.array([0.5, 0.5])) == [71, 71]
    assert direction_prefix(NAMES, np.array([0.8, 0.6])) == "Weights: coverage 80, length 60.\n"


def test_a_direction_reads_the_same_from_weights_and_from_itself():
    weights = np.array([0.25, 0.75])
    unit = weights / np.linalg.norm(weights)
    assert direction_prefix(NAMES, weights) == direction_prefix(NAMES, unit)


def test_words_stand_before_the_last_line():
    assert put_before("P\n", "Question\nAnswer:", None) == "Question\nP\nAnswer:"
    assert put_before("P\n", "<|user|>\nQ\n<|bot|>\n", None) == "<|user|>\nQ\nP\n<|bot|>\n"
    assert put_before("P\n", "<s>Question\nAnswer:", "<s>") == "<s>Question\nP\nAnswer:"


def test_before_a_line_alone_they_stand_behind_a_begin_of_text_token():
    assert put_before("P\n", "Question", None) == "P\nQuestion"
    assert put_before("P\n", "<s>Question", "<s>") == "<s>P\nQuestion"
    assert put_before("P\n", "Question", "<s>") == "P\nQuestion"
    assert put_before("P\n", "", None) == "P\n"
