"""What holds for every command: one JSON document, the design's exit codes, both languages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloudpemda.cli import _COMMANDS, main


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudpemda", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )


def test_usage_errors_honour_json_output() -> None:
    answer = _run("--output", "json", "request", "approve")
    document = json.loads(answer.stdout)
    assert answer.returncode == document["code"] == 2
    assert document["faults"][0]["code"] == "cli.usage"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("request", "deny", "dinkes/simrs"), "belum ditulis: '--reason'"),
        (("request", "sho"), "perintah sho tidak ada; yang mirip: show"),
        (("quota", "show", "--att"), "opsi --att tidak ada; yang mirip: --at"),
    ],
)
def test_usage_errors_are_told_in_indonesian(words: tuple[str, ...], told: str) -> None:
    answer = _run("--lang", "id", *words)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert told in answer.stderr
    assert answer.stderr.startswith("Pemakaian: cloudpemda ")
    assert "→ Lihat --help" in answer.stderr


def test_a_missing_site_says_how_to_make_one(tmp_path: Path) -> None:
    answer = _run("--site", str(tmp_path), "--lang", "en", "status")
    assert answer.returncode == 3
    assert "cloudpemda init" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(("lang", "word"), [("en", "no lab is running"), ("id", "tidak ada lab")])
def test_both_languages(tmp_path: Path, lang: str, word: str) -> None:
    answer = _run("--site", str(tmp_path), "--lang", lang, "lab", "status")
    assert answer.returncode == 5
    assert word in answer.stderr


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in _COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert "Usage: cloudpemda " in capsys.readouterr().out


def test_lists_of_commands_are_whole_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ([], *([name] for name in _COMMANDS)):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        listed = capsys.readouterr().out.partition("Commands:")[2].splitlines()
        assert not [line for line in listed if line.endswith("...")], words


def test_help_imports_no_heavy_library() -> None:
    """`--help` must feel instant: what it imports is what it costs."""
    script = (
        "import sys\n"
        "from cloudpemda.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'rich', 'pydantic', 'sqlalchemy', 'requests', 'yaml', 'aiohttp'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("kind", ["request", "site", "opd", "catalogue", "people"])
def test_schema_is_one_json_document(kind: str) -> None:
    answer = _run("schema", kind)
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["$schema"].startswith("https://json-schema.org/")
