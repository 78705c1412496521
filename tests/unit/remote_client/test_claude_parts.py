"""The small parts of the claude adapter: what is typed, what its settings ask for, what is read of dialogs and cost."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from remote_client.adapters import available_adapters
from remote_client.agents.adapter import Wish
from remote_client.agents.claude import ClaudeAdapter
from remote_client.agents.claude_cost import CostMeter
from remote_client.agents.claude_dialogs import DOWN, TRUST, dialog_on, step_to_trust
from remote_client.agents.claude_hooks import HOOKS, PROMPT_TAKEN, decision
from remote_client.agents.claude_input import (
    HEARD_CHARACTERS,
    LINES_AT_MOST,
    PIECE_CHARACTERS,
    as_own_words,
    other_words,
)
from remote_client.agents.pasting import ENTER
from remote_client.agents.prompt_text import as_prompt
from remote_client.policy import AgentRule, parse_policy
from remote_client.terminals import HookEvent
from shared.errors import InvalidPayload, PolicyForbids
from shared.ids import ByteOffset, SessionId


def wish(folder: Path, **more: str) -> Wish:
    return Wish(SessionId(uuid4()), folder, folder, **more)


# Prompts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["!rm -rf .", " !ls", "\n!ls", "\u200b!ls", "\x00!ls", "\x1b!ls", "/exit", "\t/clear"])
def test_a_prompt_never_begins_as_a_command_of_the_agent_itself(text: str) -> None:
    assert as_prompt(text).startswith("> ")


@pytest.mark.parametrize("text", ["fix it!", "# A heading", "1/2 of it", "hello\n!ls", "", "  indented"])
def test_a_plain_prompt_stays_as_it_is(text: str) -> None:
    assert as_prompt(text) == text


@pytest.mark.parametrize("text", ["read @README.md", "a smile :smi", "what follows:", "line one\\"])
def test_what_would_take_the_enter_at_the_end_does_not_stand_there(text: str) -> None:
    assert as_prompt(text) == f"{text} "


def keys(*pieces: str) -> bytes:
    return b"".join(b"\n" if piece == "\n" else f"\x1b[200~{piece}\x1b[201~".encode() for piece in pieces)


def test_each_line_is_put_in_for_itself_and_a_long_one_in_pieces() -> None:
    assert as_own_words("one") == keys("one")
    assert as_own_words("one\n\ntwo\n") == keys("one", "\n", "\n", "two", "\n")
    long = "é" * (2 * PIECE_CHARACTERS + 1)
    assert as_own_words(long) == keys("é" * PIECE_CHARACTERS, "é" * PIECE_CHARACTERS, "é")
    assert as_own_words("\tif") == keys("    if")


def test_the_name_of_a_picture_is_never_pasted_whole() -> None:
    assert as_own_words("see /a/b.png, c.PNG") == keys("see /a/b.", "png, c.", "PNG")
    assert as_own_words("in a.jpeg\nb.pngs") == keys("in a.", "jpeg", "\n", "b.pngs")


def test_a_text_of_very_many_lines_is_one_paste() -> None:
    text = "\n".join("line" for _ in range(LINES_AT_MOST + 1))
    assert as_own_words(text) == keys(text)


def test_lines_with_names_of_pictures_are_no_part_of_a_paste() -> None:
    many = "\n".join("line" for _ in range(LINES_AT_MOST))
    assert as_own_words(f"{many}\na.png\n\nb.png\n{many}") == keys(
        many, "\n", "a.", "png", "\n", "\n", "b.", "png", "\n", many
    )


@pytest.mark.parametrize(
    ("typed", "heard"),
    [
        ("one two", "one two"),
        ("ends with a name @x ", "ends with a name @x"),
        ("a\tb\n\nc", "a    b\n\nc"),
        ("e\u0301\u200b!", "é!"),
        ("a\nb", '\n\n<pasted_content id="98ac">\na\nb\n</pasted_content id="98ac">\n'),
    ],
)
def test_what_is_not_seen_makes_no_other_words_of_a_prompt(typed: str, heard: str) -> None:
    assert other_words(typed, taken(heard)) is None


@pytest.mark.parametrize("heard", ["1CLEAN it", "CLEAN", "CLEAN it CLEAN it"])
def test_other_words_than_were_typed_are_evidence(heard: str) -> None:
    assert other_words("CLEAN it", taken(heard)) == {"kind": "other_words", "heard": heard, "offset": 7}


def test_of_other_words_the_beginning_is_told_and_of_words_that_were_cut_nothing() -> None:
    found = other_words("CLEAN", taken("x" * 10_000))
    assert found is not None
    assert len(found["heard"]) == HEARD_CHARACTERS
    assert other_words("CLEAN", replace(taken("CL"), truncated=True)) is None


def taken(prompt: str) -> HookEvent:
    return HookEvent(1, ByteOffset(7), PROMPT_TAKEN, {"prompt": prompt})


# Starting ------------------------------------------------------------------------------------------------------------


def test_it_starts_with_its_own_hooks_and_an_explicit_permission_mode(tmp_path: Path) -> None:
    launch = ClaudeAdapter("claude", AgentRule()).launch(wish(tmp_path))
    assert launch.command[0] == "claude"
    assert launch.command[launch.command.index("--permission-mode") + 1] == "default"
    settings = json.loads(Path(launch.command[launch.command.index("--settings") + 1]).read_text())
    assert settings["hooks"].keys() == HOOKS.keys()
    waiting = [name for name, hooks in settings["hooks"].items() if "--wait" in hooks[0]["hooks"][0]["command"]]
    assert waiting == ["PermissionRequest"]


def test_it_takes_model_mcp_and_resume_as_the_policy_allows_them(tmp_path: Path) -> None:
    rule = AgentRule(models=["opus"], mcp={"browser": tmp_path / "browser.json"}, permission_mode="plan")
    launch = ClaudeAdapter("claude", rule).launch(wish(tmp_path, model="opus", mcp="browser", resume="a-b"))
    line = " ".join(launch.command)
    assert "--model opus" in line
    assert f"--mcp-config {tmp_path / 'browser.json'}" in line
    assert "--resume a-b" in line
    assert "--permission-mode plan" in line


@pytest.mark.parametrize("option", ["model", "mcp"])
def test_a_model_or_mcp_that_the_policy_does_not_name_is_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(PolicyForbids):
        ClaudeAdapter("claude", AgentRule(models=["opus"])).launch(wish(tmp_path, **{option: "other"}))


def test_it_gets_only_the_variables_that_the_policy_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("OTHER", "x")
    assert "ANTHROPIC_API_KEY" not in ClaudeAdapter("claude", AgentRule()).launch(wish(tmp_path)).environment
    rule = AgentRule(environment=["ANTHROPIC_API_KEY"])
    environment = ClaudeAdapter("claude", rule).launch(wish(tmp_path)).environment
    assert environment["ANTHROPIC_API_KEY"] == "secret"
    assert "OTHER" not in environment


def test_a_machine_without_the_program_does_not_offer_the_agent(tmp_path: Path) -> None:
    text = f'allowed_roots = ["{tmp_path}"]\n[agents.claude]\ncommand = ["{tmp_path}/claude"]\n'
    policy = parse_policy(text, "test")
    assert available_adapters(policy) == {}
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\necho '9.8.7 (Claude Code)'\n")
    program.chmod(stat.S_IRWXU)
    assert available_adapters(policy)["claude"].version() == "9.8.7"


def test_an_unknown_permission_mode_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidPayload, match=r"agents\.claude\.permission_mode"):
        parse_policy(f'allowed_roots = ["{tmp_path}"]\n[agents.claude]\npermission_mode = "yolo"\n', "test")


# Dialogs -------------------------------------------------------------------------------------------------------------

TRUST_NEW = [
    " Accessing workspace:", " Quick safety check: Is this a project you created or one you trust?",
    " Claude Code'll be able to read, edit, and execute files in this folder.", " ❯ No, exit",
    "   Yes, I trust this folder", " Enter to confirm · Esc to cancel",
]  # fmt: skip
TRUST_OLD = [" Do you trust the files in this folder?", " ❯ 1. Yes, proceed", "   2. No, exit", " Enter to confirm"]


def test_the_trust_dialog_is_answered_by_what_is_chosen_on_the_screen_not_blindly() -> None:
    assert dialog_on(TRUST_NEW) is TRUST
    assert step_to_trust(TRUST_NEW) == DOWN
    moved = [line.replace("❯ No", "  No").replace("  Yes", "❯ Yes") for line in TRUST_NEW]
    assert step_to_trust(moved) == ENTER
    assert dialog_on(TRUST_OLD) is TRUST
    assert step_to_trust(TRUST_OLD) == ENTER


def test_a_dialog_that_looks_otherwise_is_left_to_a_person() -> None:
    assert step_to_trust([line.replace("❯", ">") for line in TRUST_NEW]) is None
    assert step_to_trust([line.replace("Yes, I trust", "Go on with") for line in TRUST_NEW]) is None


def test_no_dialog_is_seen_in_what_an_agent_says() -> None:
    assert dialog_on(["● I do not trust this folder.", "❯ "]) is None


def test_a_decision_has_the_shape_that_the_agent_expects() -> None:
    assert decision(True)["hookSpecificOutput"]["decision"] == {"behavior": "allow"}
    assert decision(False, "no")["hookSpecificOutput"]["decision"] == {"behavior": "deny", "message": "no"}


# Cost ----------------------------------------------------------------------------------------------------------------


def told(usd: float, at: int) -> HookEvent:
    return HookEvent(1, ByteOffset(at), "StatusLine", {"cost": {"total_cost_usd": usd}})


def begun(at: int = 0) -> HookEvent:
    return HookEvent(1, ByteOffset(at), "SessionStart", {})


async def turn(meter: CostMeter, start: int, total: float | None) -> tuple[float | None, bool]:
    """What a turn cost after which the agent told that sum, or none; and whether the one before it is in it."""
    meter.begin_turn(ByteOffset(start))
    meter.turn_is_over()
    if total is not None:
        meter.hear(told(total, start + 5))
    cost, evidence = await meter.of_turn(0.01)
    assert [one["session_usd"] for one in evidence] == ([] if cost is None else [total])
    return cost, any("includes_turn_before" in one for one in evidence)


async def test_a_turn_costs_what_the_sum_of_its_session_grew_by() -> None:
    meter = CostMeter(fresh=True)
    meter.session_begins(begun())
    assert await turn(meter, 10, 0.5) == (0.5, False)
    assert await turn(meter, 20, 0.75) == (0.25, False)


async def test_the_cost_of_a_turn_is_not_known_when_the_sum_before_it_is_not() -> None:
    meter = CostMeter(fresh=False)
    meter.session_begins(begun())
    assert await turn(meter, 10, 3.0) == (None, False)
    assert await turn(meter, 20, 3.5) == (0.5, False)


async def test_what_a_turn_cost_and_nobody_told_is_counted_with_the_next_one() -> None:
    meter = CostMeter(fresh=True)
    meter.session_begins(begun())
    assert await turn(meter, 10, None) == (None, False)
    assert await turn(meter, 20, 0.5) == (0.5, True)
    assert await turn(meter, 30, 0.75) == (0.25, False)


async def test_after_a_restart_what_earlier_turns_cost_is_learned_again() -> None:
    meter = CostMeter(fresh=True)
    meter.begin_turn(ByteOffset(100))
    meter.session_begins(begun())
    meter.hear(told(2.0, 90))
    meter.turn_is_over()
    meter.hear(told(2.5, 130))
    assert (await meter.of_turn(0.01))[0] == 0.5
