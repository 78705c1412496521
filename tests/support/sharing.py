"""Which test files go to one worker: those that share an office, as its start takes long, and each other one alone."""

from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

_SHARED = {
    "the pages": ("dashboard/",),
    "an office": (
        "test_attach", "test_logs", "test_plans_document", "test_secrets", "test_spec_tasks", "test_status",
        "test_two_of_each", "test_whole_flow",
    ),
    "an office with Claude Code": ("test_claude_approvals", "test_claude_office", "test_claude_plans"),
}  # fmt: skip
"""By the fixtures of tests/e2e: whom each belongs to is not known before the tests are collected, which workers do."""


class FilesThatShare(LoadFileScheduling):
    """`--dist loadfile`, where the files that share an office are one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        for what, names in _SHARED.items():
            if file.startswith(tuple(f"tests/e2e/{name}" for name in names)):
                return what
        return file
