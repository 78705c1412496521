"""Makes aider read the persona, and write what it writes down outside the worktree, where `aider_history` reads it."""

from remote_client.agents.adapter import Wish
from remote_client.agents.screen_agent import Addition
from remote_client.policy import AgentRule

HISTORY = "aider-chat.md"
INPUT_HISTORY = "aider-input"


def aider_signals(wish: Wish, _rule: AgentRule) -> Addition:
    arguments = [
        f"--chat-history-file={wish.state / HISTORY}",
        f"--input-history-file={wish.state / INPUT_HISTORY}",
    ]
    persona = wish.folder / ".claude" / "CLAUDE.md"
    if persona.exists():
        arguments.append(f"--read={persona}")
    return Addition(arguments)
