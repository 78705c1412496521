"""The official Supabase CLI for tests: the pinned one from npm, with a home of its own and no way to phone home."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools" / "agents"


def supabase_program() -> Path:
    """Skips the test where `scripts/test-tools` could not fetch it; under CI that fails."""
    found = sorted(TOOLS.glob("node_modules/@supabase/cli-*/bin/supabase"))
    if found:
        return found[0]
    missing = "there is no Supabase CLI for tests: run scripts/test-tools (it needs npm)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def supabase(home: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs it to its end on the project in `folder`; nothing of this machine's Docker or login is there for it."""
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(home), "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1",
        "DOCKER_HOST": f"unix://{home}/no-docker.sock", "NO_COLOR": "1",
    }  # fmt: skip
    return subprocess.run(
        [str(supabase_program()), *arguments, "--workdir", str(folder)],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
