"""What agents are told of themselves."""

from office_server.personas import render
from shared.channels import DONE_MARKER


def test_a_persona_says_who_it_is_what_is_its_own_what_it_can_and_how_it_is_done() -> None:
    text = render(
        "BE", "Backend Engineer", "You build services.\n", ["src/**", "!src/generated/**"], ["SQL", "testing"]
    )

    assert text.startswith("# You are Backend Engineer (BE)\n\nYou build services.\n")
    assert "- `src/**`\n- `!src/generated/**`\n" in text
    assert "- SQL\n- testing\n" in text
    assert text.count(DONE_MARKER) == 1


def test_without_a_scope_nothing_is_said_of_one() -> None:
    text = render("BE", "Backend Engineer", "You build services.", [], [])

    assert "patterns" not in text
    assert "good at" not in text


def test_what_people_write_is_not_escaped_as_for_a_page() -> None:
    assert "<b> & {{ x }}" in render("BE", "Name", "<b> & {{ x }}", [], [])
