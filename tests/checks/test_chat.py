"""The checks of models, plain chats, messages, images and keys, where they could be unfair or blind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.checks.catalogue import catalogue
from conformance.checks.chat_text import TEMPLATE, THOUGHTS, related
from conformance.core.finding import Kind
from conformance.core.probe import MODEL, Probe
from conformance.judging.draw import draw
from conformance.probes.chat import HELLO
from conformance.probes.history import LONG
from conformance.probes.unicode import UNICODE
from conformance.reference.faults import auth, http, models, multimodal, roles, shape
from tests.kit.judging import answered, at, judged


@pytest.mark.parametrize(
    "text",
    [
        "Héllo 😀 世界 — naïve ✓",
        "Ça coûte 5 € – déjà vu, où êtes-vous ? « Voilà »",
        "Größe, Straße, Ärger, Öl",
        "ñandú ¿qué? ¡sí!",
        "é",
        "Ã is a letter, and so is Â",
    ],
)
def test_honest_text_beyond_ascii_is_not_taken_for_text_encoded_twice(text: str) -> None:
    """Accents, currency and typographic marks are no sign of double encoding."""
    assert judged("chat.unicode-comes-back-whole", answered(UNICODE, text)).kind is Kind.HOLDS


@pytest.mark.parametrize("coding", ["latin-1", "cp1252"])
def test_text_encoded_twice_is_found(coding: str) -> None:
    """UTF-8 that was read as a one-byte coding on the way is found, whichever of the two usual ones."""
    text = ("Héllo 世界" if coding == "latin-1" else "Héllo").encode().decode(coding)
    assert judged("chat.unicode-comes-back-whole", answered(UNICODE, text)).kind is Kind.VIOLATED


def test_ascii_does_not_witness_unicode() -> None:
    """A model that answers in ASCII says nothing about encodings: the check's witness sees that."""
    witness = catalogue()["chat.unicode-comes-back-whole"].witness
    assert witness is not None
    assert not witness(answered(HELLO, "I would rather not."))


@pytest.mark.parametrize(
    "text", ["a <b>bold</b> word", "|x|y|", "[INSTALL]", "5 < 6 > 4", "<s3://bucket>", "<thinkpad>", "I think: yes"]
)
def test_ordinary_marks_are_no_leak(text: str) -> None:
    """Markup, tables and comparisons of a model's own are no marks of its template, and no thoughts."""
    assert not TEMPLATE.search(text)
    assert not THOUGHTS.search(text)


@pytest.mark.parametrize(
    "text", ["Hi<|im_end|>", "Hi</s>", "<|eot_id|>", "<｜end▁of▁sentence｜>", "<end_of_turn>", "[/INST]"]
)
def test_template_marks_are_a_leak(text: str) -> None:
    """The end-of-turn marks of the usual families of models are known."""
    assert TEMPLATE.search(text)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("tiny", "hosted_vllm/tiny"),
        ("Qwen/Qwen3-8B", "qwen3-8b"),
    ],
)
def test_dated_and_prefixed_models_are_related(asked: str, named: str) -> None:
    """A date after a model's name, or a vendor before it, leaves it the same model."""
    assert related(asked, named)


def test_unrelated_models_are_not_related() -> None:
    """A path on a disk, or nothing at all, is not the model asked for."""
    assert not related("tiny", "/data/models--x/snapshots/abc")
    assert not related("tiny", "")


@pytest.mark.parametrize(
    "message",
    [{"content": "", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
     {"content": None, "refusal": "No."}],
)  # fmt: skip
def test_a_call_or_a_refusal_needs_no_content(message: dict[str, Any]) -> None:
    """Content may be empty where there is a call or a refusal in its place."""
    assert (
        judged("chat.answer-is-in-content", answered(HELLO, message.get("content"), message=message)).kind is Kind.HOLDS
    )


def test_every_cut_keeps_the_whole_text() -> None:
    """However a text is cut into parts, the parts together are the text, and none is small."""
    check = catalogue()["roles.no-part-is-lost"]
    for case in draw(check):
        assert isinstance(case, tuple)
        cut = case[0]
        assert isinstance(cut, Probe)
        texts = [one["text"] for one in cut.wish["messages"][0]["content"]]
        assert "".join(texts) == LONG
        assert min(map(len, texts)) > len(LONG) * 0.2


def test_drawn_messages_are_what_they_claim() -> None:
    """Drawn conversations end with the user, and drawn mistakes are mistakes."""
    for case in draw(catalogue()["roles.long-history-is-accepted"]):
        assert isinstance(case, Probe)
        assert [one["role"] for one in case.wish["messages"]][-1] == "user"
    for case in draw(catalogue()["messages.content-is-text-or-parts"]):
        assert isinstance(case, Probe)
        content = case.wish["messages"][0]["content"]
        assert not isinstance(content, str)
        assert not (isinstance(content, list) and any(isinstance(one, dict) for one in content))


def test_a_server_without_keys_is_not_judged() -> None:
    """A server that guards nothing is unsupported under auth, and never violated."""
    for id_ in ("auth.missing-key-is-refused", "auth.wrong-key-is-refused", "auth.refusal-has-an-error-object"):
        assert at(auth.guards_nothing, id_).kind is Kind.UNSUPPORTED


def test_an_odd_image_is_not_said_to_be_read_where_images_are_ignored() -> None:
    """Where a server ignores images, only that is found, not that it reads its own files."""
    assert at(multimodal.does_not_look, "multimodal.image-is-not-ignored").kind is Kind.VIOLATED
    assert at(multimodal.does_not_look, "multimodal.file-url-is-refused").kind is Kind.UNWITNESSED


def test_a_text_model_may_refuse_images() -> None:
    """Images refused in so many words leave vision unsupported, and nothing violated."""
    assert at(multimodal.has_no_eyes, "multimodal.image-is-accepted").kind is Kind.UNSUPPORTED
    assert at(multimodal.has_no_eyes, "multimodal.image-does-no-harm").kind is Kind.HOLDS


def test_a_dropped_instruction_is_found_only_by_counting() -> None:
    """A model that does not heed its instruction is no fault of the server's, as long as the instruction is counted."""
    id_ = "roles.system-reaches-the-model"
    assert at(roles.ignores_instructions, id_).kind is Kind.VIOLATED
    assert at(shape.thinks_the_answer, id_).kind is Kind.UNWITNESSED


def test_a_body_that_only_claims_to_be_compressed_is_found() -> None:
    """A coding that is declared and not applied is found though the body reads as JSON."""
    assert at(http.claims_to_compress, "http.only-accepted-codings").kind is Kind.VIOLATED
    assert at(http.compresses_where_accepted, "http.only-accepted-codings").kind is Kind.HOLDS


def test_a_server_without_a_list_is_not_judged() -> None:
    """Where there is no list of models, nothing about lists is violated."""
    checks = [one for one in catalogue().values() if one.area == "models"]
    kinds = {one.id: at(models.has_no_list, one.id).kind for one in checks}
    assert Kind.VIOLATED not in kinds.values()
    assert kinds["models.list-is-served"] is Kind.UNSUPPORTED


def test_unicode_prompts_survive_as_probes() -> None:
    """Drawn texts come out of a probe as they went in, and hold no name of a model."""
    for case in draw(catalogue()["chat.any-unicode-is-accepted"]):
        assert isinstance(case, Probe)
        said = case.wish["messages"][0]["content"]
        assert case.body is not None
        assert json.loads(case.body)["messages"][0]["content"] == said
        assert MODEL not in said
