"""Makes all of `reports/examples` anew: from the recordings that are committed, and a run of the embedded reference server.

Each recording is judged again by today's checks, so the examples show what the suite says today of what an engine did
on the day. Nothing is sent to any engine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent.parent
RECORDINGS = ROOT / "fixtures" / "recordings"
EXAMPLES = ROOT / "reports" / "examples"
REFERENCE = "reference"
PAIRS = (
    (REFERENCE, "vllm-local"),
    ("vllm-local", "llama-local"),
    (REFERENCE, "litellm-local"),
    ("vllm-local", "litellm-vllm"),
)
"""Baseline and candidate; a pair without a recording is left out, and said."""
MIGRATION = ("vllm-local", "llama-local")
NEEDS = "chat,streaming,tools,structured,usage"
"""What the application of the migration report needs."""
LINK = re.compile(r"\]\(([\w.-]+)\)")
"""A file beside the list."""
NEWER = "this check is newer than the run"
"""How a replay says that the day did not ask."""
LONGEST = 900.0
"""Seconds for one command."""


@dataclass(frozen=True)
class Made:
    """The files of one example."""

    name: str
    about: str
    files: Sequence[str]


def recordings() -> list[str]:
    """The names of the committed recordings."""
    return sorted(path.name for path in RECORDINGS.iterdir() if (path / "run.jsonl").is_file())


def command(*words: str, at: Path = ROOT, into: Path | None = None, good: Sequence[int] = (0,)) -> None:
    """Run `python -m ...` as in a terminal of 80 columns, in the folder `at`; what it says goes `into` a file."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=at,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    if done.returncode not in good:
        raise SystemExit(
            f"`{' '.join(words)}` ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    if into is not None:
        into.write_text("".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines()), encoding="utf-8")


def runs_of_today(there: Path) -> dict[str, str]:
    """Every recording judged again, and a run of the reference server: by name, the directory of each below `there`."""
    made: dict[str, str] = {}
    for name in [REFERENCE, *recordings()]:
        target = name if name == REFERENCE else f"replay:{(RECORDINGS / name).relative_to(ROOT)}"
        print(f"judging {name}", flush=True)
        options = (
            "-p",
            "no:cacheprovider",
            "-q",
            "--target",
            target,
            "--conformance-reports",
            str(there / "judged" / name),
        )
        command("pytest", *options, good=(0, 1, 6))
        (run,) = (path.parent for path in (there / "judged" / name).glob("*/*/run.jsonl"))
        made[name] = str(Path("reports") / name)
        as_of_the_day(run, there / made[name], name)
    return made


def as_of_the_day(run: Path, directory: Path, name: str) -> None:
    """Today's outcomes in the run of the day: its header, its exchanges, its times. Checks that are newer are left out."""
    shutil.copytree(run, directory)
    recorded = RECORDINGS / name
    if not recorded.is_dir():
        return
    shutil.copy(recorded / "exchanges.jsonl", directory)
    day = [json.loads(line) for line in (recorded / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    today = [json.loads(line) for line in (run / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    outcomes = [line for line in today if line["type"] == "outcome" and NEWER not in line["reason"]]
    lines = [{**day[0], "selected": len(outcomes)}, *({**line, "target": name} for line in outcomes), day[-1]]
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
    (directory / "run.jsonl").write_text(text, encoding="utf-8")


def singles(there: Path, runs: dict[str, str]) -> Iterator[Made]:
    """The faces of one run."""
    for name in recordings():
        files = [f"{name}.{ending}" for ending in ("html", "md", "txt", "svg")]
        html, markdown, text, badge = (EXAMPLES / file for file in files)
        command("conformance", "report", runs[name], "--html", str(html), "--markdown", str(markdown), at=there)
        command("conformance", "report", runs[name], at=there, into=text)
        command("conformance", "badge", runs[name], "--label", name, "-o", str(badge), at=there)
        yield Made(name, "one run, of which the recorded bytes are committed, too", files)


def pairs(there: Path, runs: dict[str, str]) -> Iterator[Made]:
    """The faces of two runs."""
    for baseline, candidate in PAIRS:
        if baseline not in runs or candidate not in runs:
            print(f"left out: {candidate} against {baseline}; there is no recording", flush=True)
            continue
        name = f"{candidate}-against-{baseline}"
        files = [f"{name}.{ending}" for ending in ("html", "txt")]
        both = runs[baseline], runs[candidate]
        command("conformance", "report", *both, "--html", str(EXAMPLES / files[0]), at=there)
        command("conformance", "diff", *both, at=there, into=EXAMPLES / files[1])
        yield Made(name, f"two runs: what changes from {baseline} to {candidate}", files)


def migration(there: Path, runs: dict[str, str]) -> Iterator[Made]:
    """One migration report."""
    baseline, candidate = MIGRATION
    if baseline not in runs or candidate not in runs:
        return
    files = [f"migration.{ending}" for ending in ("html", "md")]
    for file in files:
        command(
            *("pytest", "-p", "no:cacheprovider", "-q", "--target", f"replay:{runs[candidate]}"),
            *(
                "--conformance-baseline",
                runs[baseline],
                "--conformance-needs",
                NEEDS,
                "--conformance-migration",
                str(EXAMPLES / file),
            ),
            at=there,
            good=(0, 1, 6),
        )
    yield Made("migration", f"may an application that needs {NEEDS} move from {baseline} to {candidate}?", files)


def made_before() -> list[Path]:
    """The files that the list names: those of the last time."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8") if (EXAMPLES / "README.md").exists() else ""
    return [EXAMPLES / name for name in LINK.findall(text.partition("|---|")[2])]


def link(file: str) -> str:
    """A file in the list, by the name of its form."""
    return f"[{file.rpartition('.')[2]}]({file})"


def main() -> int:
    """Make all, and the list of them."""
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    for old in made_before():
        old.unlink(missing_ok=True)
    with TemporaryDirectory() as there:
        folder = Path(there)
        runs = runs_of_today(folder)
        made = [*singles(folder, runs), *pairs(folder, runs), *migration(folder, runs)]
    shutil.copy(Path(__file__).parent / "README.md", EXAMPLES / "README.md")
    rows = [f"| {one.name} | {one.about} | {', '.join(map(link, one.files))} |" for one in made]
    with (EXAMPLES / "README.md").open("a", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
