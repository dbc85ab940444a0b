"""The golden vectors against the independent encoder: two readings of the specification."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "vectors"


def load_encoder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vhost_user_encoder", VECTORS / "vhost_user_encoder.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ENCODER = load_encoder()
VECTORS_OF: dict[str, list[dict[str, Any]]] = json.loads((VECTORS / "vhost_user.json").read_text())
CASES, ANSWERS, BACKEND = (VECTORS_OF[name] for name in ("vectors", "answers", "backend_requests"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["message"]))
def test_the_independent_encoder_agrees_with_the_bytes_written_by_hand(case: dict[str, Any]) -> None:
    encoded = ENCODER.encode(case["message"], case["payload"], need_reply=case.get("need_reply", False))
    assert encoded.hex() == bytes.fromhex(case["bytes"]).hex()


def test_every_message_of_a_net_frontend_has_a_vector() -> None:
    not_for_net = {"CREATE_CRYPTO_SESSION", "CLOSE_CRYPTO_SESSION", "GPU_SET_SOCKET", "GET_SHARED_OBJECT"}
    assert {case["message"] for case in CASES} == set(ENCODER.NUMBERS) - not_for_net


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: str(case["message"]))
def test_answers_agree(case: dict[str, Any]) -> None:
    assert ENCODER.encode_answer(case["message"], case["payload"]).hex() == bytes.fromhex(case["bytes"]).hex()


def test_every_answer_the_specification_promises_has_a_vector_and_so_have_yes_and_no() -> None:
    promised = set(ENCODER.ANSWERED)
    acknowledged = [
        case["payload"]["u64"]
        for case in ANSWERS
        if case["message"] not in promised and "u64" in case["payload"]
    ]
    assert promised <= {case["message"] for case in ANSWERS}
    assert sorted(acknowledged) == [0, 1]


@pytest.mark.parametrize("case", BACKEND, ids=lambda case: str(case["message"]))
def test_requests_of_the_backend_agree(case: dict[str, Any]) -> None:
    need_reply = case.get("need_reply", False)
    encoded = ENCODER.encode_backend(case["message"], case["payload"], need_reply=need_reply)
    assert encoded.hex() == bytes.fromhex(case["bytes"]).hex()
    if need_reply:
        assert ENCODER.acknowledge(case["message"]).hex() == bytes.fromhex(case["acknowledged"]).hex()


def test_every_request_of_a_backend_has_a_vector() -> None:
    assert {case["message"] for case in BACKEND} == set(ENCODER.BACKEND_NUMBERS)
