"""The agents besides Claude Code and the shell, one entry each. docs/agents.md says what can be relied on."""

from remote_client.agents.adapter import Abilities
from remote_client.agents.aider_history import AiderHistory
from remote_client.agents.aider_signals import HISTORY, aider_signals
from remote_client.agents.codex_signals import codex_signals
from remote_client.agents.gemini_signals import as_claude_says, gemini_signals
from remote_client.agents.opencode_signals import PERMISSIONS, opencode_signals
from remote_client.agents.pasting import CLEAR_LINE, CLEAR_TO_END, CTRL_C, ESCAPE
from remote_client.agents.screen_agent import CLEAR_INPUT, Addition, ScreenAgent
from remote_client.agents.screen_manner import Manner

CODEX = ScreenAgent(
    name="codex",
    command=("codex",),
    # Without its server in the background, which would outlive the session and belong to none.
    arguments=("--no-daemon", "-c", "check_for_update_on_startup=false",
               "-c", 'tui.terminal_title=["activity","project-name"]'),
    modes={
        "default": Addition(("--ask-for-approval=on-request", "--sandbox=workspace-write")),
        "plan": Addition(("--ask-for-approval=on-request", "--sandbox=read-only")),
        "dontAsk": Addition(("--ask-for-approval=never", "--sandbox=workspace-write")),
        "bypassPermissions": Addition(("--dangerously-bypass-approvals-and-sandbox",)),
    },
    manner=Manner("codex", interrupt=(ESCAPE, CTRL_C), clear=CLEAR_INPUT, titled=True, hooked=True),
    abilities=Abilities(frozenset({"model", "resume"}), confirms_prompts=True, asks_permission=True),
    resume_first=("resume",),
    resume_last=("--", "{}"),
    signals=codex_signals,
)  # fmt: skip

GEMINI = ScreenAgent(
    name="gemini",
    command=("gemini",),
    modes={
        "default": Addition(("--approval-mode=default",)),
        "acceptEdits": Addition(("--approval-mode=auto_edit",)),
        "plan": Addition(("--approval-mode=plan",)),
        "bypassPermissions": Addition(("--approval-mode=yolo",)),
    },
    manner=Manner("gemini", interrupt=(ESCAPE, CTRL_C), clear=CLEAR_INPUT, titled=True, hooked=True,
                  hears=as_claude_says),
    abilities=Abilities(frozenset({"model", "resume"}), confirms_prompts=True),
    # One process instead of two: the first would only start the other with more memory.
    environment={"GEMINI_CLI_NO_RELAUNCH": "true", "COLORTERM": "truecolor"},
    resume_last=("--resume={}",),
    signals=gemini_signals,
)  # fmt: skip

OPENCODE = ScreenAgent(
    name="opencode",
    command=("opencode",),
    modes={mode: Addition() for mode in PERMISSIONS},
    # The first Escape only asks for the second. Clearing to the left may jump before what is left of a line.
    manner=Manner("opencode", interrupt=(ESCAPE, ESCAPE), clear=((CLEAR_LINE + CLEAR_TO_END) * 40,), starts="ctrl+p",
                  hooked=True),
    abilities=Abilities(frozenset({"model", "mcp", "resume"}), confirms_prompts=True, asks_permission=True),
    mcp_variable="OPENCODE_CONFIG",
    resume_last=("--session={}",),
    signals=opencode_signals,
)  # fmt: skip

AIDER = ScreenAgent(
    name="aider",
    command=("aider",),
    # Its questions about versions and files of its own are nobody's. It asks where its cursor is, and warns when nobody
    # answers that.
    arguments=("--no-check-update", "--no-show-release-notes", "--no-show-model-warnings", "--no-analytics",
               "--no-gitignore", "--no-pretty"),
    environment={"PROMPT_TOOLKIT_NO_CPR": "1"},
    modes={
        "default": Addition(),
        "plan": Addition(("--chat-mode=ask",)),
        "bypassPermissions": Addition(("--yes-always",)),
    },
    manner=Manner("aider", interrupt=(CTRL_C,), clear=((CLEAR_LINE + CLEAR_TO_END) * 40,),
                  history=lambda state: AiderHistory(state / HISTORY)),
    abilities=Abilities(frozenset({"model"})),
    signals=aider_signals,
)  # fmt: skip

FURTHER_AGENTS = {kind.name: kind for kind in (CODEX, GEMINI, OPENCODE, AIDER)}
