"""Fixtures shared by several families of tests; torch is imported only when a fixture needs it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.small_disk import small_disk as mounted

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel
    from tests.s3_server import Proxy

# the same examples on every machine, and no failures because a busy machine is slow
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

TINY_TEXTS = [
    "Document: The dict type maps keys to values. Keys differ.\nQuestion: What is dict?\nAnswer:",
    "Document: A list holds items in order. It can grow.\nQuestion: What is list?\nAnswer:",
    "Document: Sets hold each item once. Order is lost.\nQuestion: What is set?\nAnswer:",
    "Document: Bytes are small integers. They cannot change.\nQuestion: What is bytes?\nAnswer:",
]


def tiny_base(folder: Path, layers: int) -> Path:
    """Write a random Llama with a byte-level tokenizer and a chat template; return its folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from paretoflow.embedded.train_base import train_tokenizer

    tokenizer = train_tokenizer(TINY_TEXTS)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        # far wider than for training, so that next-token distributions are peaked and differ
        initializer_range=0.4,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep only a few cases, evenly spread, of a test marked `few`; `make test-full` runs all."""
    cases: dict[tuple[object, str], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("few") and not item.get_closest_marker("full"):
            cases.setdefault((item.parent, getattr(item, "originalname", "")), []).append(item)
    for of_one in cases.values():
        mark = of_one[0].get_closest_marker("few")
        assert mark is not None
        (count,) = mark.args
        kept = {i * len(of_one) // count for i in range(count)}
        for index in set(range(len(of_one))) - kept:
            of_one[index].add_marker(pytest.mark.full)


@pytest.fixture(autouse=True, scope="module")
def _settled() -> None:
    """Exclude the many objects imported so far from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random two-layer Llama with byte-level tokenizer and chat template."""
    return tiny_base(tmp_path_factory.mktemp("tiny_base"), layers=2)


@pytest.fixture(scope="session")
def tiny_lm(tiny_base_dir: Path) -> LanguageModel:
    """Return the tiny base, loaded once for all tests; a test must restore it (`unload`)."""
    from paretoflow.lm.base import load_folder

    return load_folder(tiny_base_dir, name="tiny")


@pytest.fixture(scope="session")
def trainer_argv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Yield the words of `method.argv` for the trainer of `jobs/`, loaded once for all tests."""
    from tests.trainer_server import trainer_server

    with trainer_server(tmp_path_factory.mktemp("trainer")) as argv:
        yield argv


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a file system of 512 KiB."""
    with mounted(tmp_path / "disk", 512) as disk:
        yield disk


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Yield the endpoint of an S3 server on this machine, one for all tests."""
    pytest.importorskip("moto.server")
    from tests.s3_server import moto_server

    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of an empty bucket; the environment variables refer to its server."""
    from tests.s3_server import KEYS, OTHER_SETTINGS, new_bucket

    for name in OTHER_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    return new_bucket(s3_server)


@pytest.fixture
def s3_proxy(s3_server: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Yield a proxy in front of the server; the environment variables refer to the proxy."""
    from tests.s3_server import Proxy

    proxy = Proxy(s3_server)
    proxy.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    yield proxy
    proxy.stop()
