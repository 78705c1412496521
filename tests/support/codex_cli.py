"""The real Codex for tests: the pinned one from npm, in a HOME of its own, asking a stub on loopback."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

AGENTS = Path(__file__).parents[2] / ".tools" / "agents"
KEY = "made-up-for-tests"


def codex_program() -> Path:
    """Skips the test where `scripts/test-tools` could not fetch it; under CI that fails."""
    found = sorted(AGENTS.glob("node_modules/@openai/codex-*/vendor/*/bin/codex"))
    if found:
        return found[0]
    missing = "there is no Codex for tests: run scripts/test-tools (it needs npm)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@dataclass(frozen=True)
class CodexHome:
    """A person's machine after they have used Codex once: a provider of models, their repositories trusted."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, api_url: str, trusted: Sequence[Path]) -> "CodexHome":
        (folder / ".codex").mkdir(parents=True)
        projects = "".join(f'[projects."{path}"]\ntrust_level = "trusted"\n' for path in trusted)
        (folder / ".codex" / "config.toml").write_text(
            'model = "gpt-6-sol"\nmodel_provider = "stub"\n'
            f'[model_providers.stub]\nname = "stub"\nbase_url = "{api_url}"\nwire_api = "responses"\n'
            f'env_key = "STUB_KEY"\nrequest_max_retries = 0\nstream_max_retries = 0\n{projects}'
        )
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """All that the agent gets, besides PATH."""
        return {
            "HOME": str(self.folder),
            "CODEX_HOME": str(self.folder / ".codex"),
            "LANG": "C.UTF-8",
            "STUB_KEY": KEY,
        }
