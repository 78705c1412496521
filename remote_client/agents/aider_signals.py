"""Makes aider read the persona, and write what it writes down outside the worktree, where `aider_history` reads it."""

from remote_client.agents.adapter import Wish
from remote_client.agents.screen_agent import Addition
from remote_client.policy import AgentRule
from shared.errors import PolicyForbids

HISTORY = "aider-chat.md"
INPUT_HISTORY = "aider-input"
REPOSITORY_SETTINGS = (".aider.conf.yml", ".aider.model.settings.yml", ".env")


def aider_signals(wish: Wish, rule: AgentRule) -> Addition:
    """
    Raises:
        PolicyForbids: the repository has settings, which aider takes without a question and which may let it act
            unasked, and the policy does not trust it.
    """
    own = [name for name in REPOSITORY_SETTINGS if (wish.folder / name).exists()]
    if own and not rule.trust_worktrees:
        raise PolicyForbids(
            f"{', '.join(own)} of the repository would decide how aider acts; trust_worktrees = true for this agent in"
            " the machine's policy allows that"
        )
    arguments = [
        f"--chat-history-file={wish.state / HISTORY}",
        f"--input-history-file={wish.state / INPUT_HISTORY}",
    ]
    persona = wish.folder / ".claude" / "CLAUDE.md"
    if persona.exists():
        arguments.append(f"--read={persona}")
    return Addition(arguments)
