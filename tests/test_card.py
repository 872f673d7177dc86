"""Cards of strangers: every one is refused with its cause, or is what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aecodec.card import Card, TrainingRecord, dump, parse
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig

CARD = Card("mine", ConvolutionalConfig(), 5, TrainingRecord(data="cells", crop=256), results={"a": 1.5}, id="00")


def changed(part: str | None, name: str, value: Any) -> str:
    card = json.loads(dump(CARD))
    (card if part is None else card[part])[name] = value
    return json.dumps(card)


def test_there_and_back() -> None:
    assert parse(dump(CARD), "00") == CARD


@pytest.mark.parametrize("value", ["16", 16.0, -16, 0, [16], None, True, 10**9, 2**63, {"a": 1}])
@pytest.mark.parametrize("name", ["channels", "latent_channels", "hyper_width", "analysis_blocks", "coding_steps"])
def test_numbers_of_a_config_have_types_and_ranges(name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(changed("config", name, value), "00")


@pytest.mark.parametrize("value", [0, -1, "x", float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize("name", ["lambda_min", "lambda_max"])
def test_lagrangians_are_positive_and_finite(name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(changed("config", name, value), "00")


@pytest.mark.parametrize("config", [{"block": 2**20}, {"layers": 10**6}, {"nodes": 10**8}, {"block": 0}, {"nodes": -5}])
def test_fully_connected_models_have_a_budget_too(config: dict[str, int]) -> None:
    text = changed(None, "config", {"architecture": FullyConnectedConfig.ARCHITECTURE} | config)
    with pytest.raises(ValueError):
        parse(text, "00")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (None, "name", 5),
        (None, "name", "a\x1b[31m\nfake: ok"),
        (None, "name", "\ud800"),
        (None, "licence", None),
        (None, "parameters", "x"),
        (None, "parameters", -1),
        (None, "path", "/etc/passwd"),
        (None, "id", "00"),
        (None, "version", True),
        (None, "version", 99),
        (None, "results", [1]),
        (None, "training", None),
        (None, "config", [1]),
        ("results", "x", "y"),
        ("results", "x", {"a": 1}),
        ("training", "crop", -3),
        ("training", "crop", 3.5),
        ("training", "denoising", "x"),
        ("training", "more", 1),
        ("config", "colours", 2),
        ("config", "architecture", ["x"]),
    ],
)
def test_what_else_is_refused(part: str | None, name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(changed(part, name, value), "00")


@pytest.mark.parametrize(
    "text", ["", "x", "5", "[]", "null", "[" * 100_000, '{"a":' * 50_000, '{"version":' + "9" * 10_000]
)
def test_what_is_no_card(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(text, "00")
