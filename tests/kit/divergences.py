"""The table of what each real server violates, from what is written down in `tests/expected`: `python -m tests.kit.divergences`."""

from __future__ import annotations

from pathlib import Path

import yaml

from conformance.checks.catalogue import catalogue

ROOT = Path(__file__).parent.parent.parent
TABLE = ROOT / "reports" / "examples" / "divergences.md"
SERVERS = {
    "vllm-local": "vLLM 0.32.0 (CPU)",
    "llama-local": "llama.cpp 0c1e570",
    "sglang-local": "SGLang 0.5.23, on stub kernels",
    "litellm-local": "LiteLLM's proxy 1.106.2 in front of the reference server",
    "litellm-vllm": "LiteLLM's proxy 1.106.2 in front of vLLM 0.32.0",
    "portkey-local": "Portkey's gateway 1.15.2, as npm installs it, in front of the reference server",
    "portkey-streaming": "Portkey's gateway 1.15.2 beside an older library, in front of the reference server",
    "sagemaker-vllm": "vLLM 0.32.0 behind SageMaker's front door, which is emulated",
}
"""Targets of targets.yaml, as a reader knows them."""
ORDER = ("MUST", "SHOULD", "MAY", "NOTE")


def table() -> str:
    """A section for each server: every requirement that it breaks, and what its answers show."""
    lines = [
        "# True divergences, server by server",
        "",
        "Each was looked at in the recorded bytes (`fixtures/recordings`), and is found again by every live run (`pytest -m live`).",
        "Made by `python -m tests.kit.divergences` from `tests/expected`.",
    ]
    for name, title in SERVERS.items():
        written = yaml.safe_load((ROOT / "tests" / "expected" / f"{name}.yaml").read_text(encoding="utf-8"))
        rows = sorted(
            (ORDER.index(catalogue()[check].level.value), check, said)
            for check, said in {**written["violated"], **written.get("sometimes", {})}.items()
        )
        lines += ["", f"## {title}", "", "| level | requirement | what it does |", "|---|---|---|"]
        for level, check, said in rows:
            shown = str(said).replace("|", "\\|").replace("<", "\\<").replace("[vllm]", "*(vLLM's own)*")
            now_and_then = " *(comes and goes)*" if check in written.get("sometimes", {}) else ""
            lines.append(f"| {ORDER[level]} | {check}: {catalogue()[check].title} | {shown}{now_and_then} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
