"""The real Claude Code for tests: the pinned one from npm, in a HOME of its own, with the variables named here."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

AGENTS = Path(__file__).parents[2] / ".tools" / "agents"
KEY = "sk-ant-api03-" + "made-up-for-tests-" * 4 + "0123456789abcdefghij"
VARIABLES = (
    "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_TELEMETRY",
    "CLAUDE_CODE_MAX_RETRIES",
)  # fmt: skip


def claude_program() -> Path:
    """Skips the test where `scripts/test-tools` could not fetch it; under CI that fails."""
    if found := claude_if_there():
        return found
    missing = "there is no Claude Code for tests: run scripts/test-tools (it needs npm)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def claude_if_there() -> Path | None:
    return next(iter(sorted(AGENTS.glob("node_modules/@anthropic-ai/claude-code-*/claude"))), None)


@dataclass(frozen=True)
class ClaudeHome:
    """A person's machine after they have used Claude Code once: signed in by a key, their repositories trusted."""

    folder: Path
    api_url: str

    @classmethod
    def make(cls, folder: Path, api_url: str, trusted: Sequence[Path]) -> "ClaudeHome":
        folder.mkdir(parents=True)
        known = {
            "hasCompletedOnboarding": True,
            "projects": {str(path): {"hasTrustDialogAccepted": True} for path in trusted},
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        }
        (folder / ".claude.json").write_text(json.dumps(known))
        return cls(folder, api_url)

    @property
    def environment(self) -> dict[str, str]:
        """All that the agent gets, besides PATH."""
        return {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": self.api_url,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
        }
