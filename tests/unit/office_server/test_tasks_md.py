"""tasks.md is read as it is meant, what is wrong with it is named with its line, and ticking changes boxes alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office_server.spec_tasks.tasks_md import Item, TasksUnreadable, parse, render, ticked, units_of

EXAMPLE = """# Tasks

Some words before.

- [ ] 1. Accounts
  Everything about accounts.
  - [x] 1.1 The table (role: BE)
    - id, name
    ```
    - [ ] 9 this is code, no item
    ```
  - [ ] 1.2 The form (with a picture) (role: FE; depends on 1.1)

## Later
    not of any item
* [ ] 2 Try it all (depends on 1; role: QA)
"""


def test_an_example_is_read_as_it_is_meant() -> None:
    items = parse(EXAMPLE)
    assert [(item.key, item.title, item.done, item.role, item.depends_on, item.line) for item in items] == [
        ("1", "Accounts", False, None, (), 5),
        ("1.1", "The table", True, "BE", (), 7),
        ("1.2", "The form (with a picture)", False, "FE", ("1.1",), 12),
        ("2", "Try it all", False, "QA", ("1",), 16),
    ]
    assert items[0].body == "Everything about accounts."
    assert items[1].body == "- id, name\n```\n- [ ] 9 this is code, no item\n```"
    assert items[2].body == ""


def test_groups_are_not_worked_on_and_depending_on_one_is_depending_on_all_in_it() -> None:
    units = units_of(parse(EXAMPLE))
    assert [(unit.item.key, unit.depends_on) for unit in units] == [
        ("1.1", ()),
        ("1.2", ("1.1",)),
        ("2", ("1.1", "1.2")),
    ]
    assert [group.key for group in units[1].groups] == ["1"]


def test_items_inherit_the_role_and_what_their_group_depends_on() -> None:
    units = units_of(parse("- [ ] 1 a\n- [ ] 2 b (role: FE; depends on 1)\n  - [ ] 2.1 c\n  - [ ] 2.2 d (role: QA)\n"))
    assert [(unit.item.key, unit.role, unit.depends_on) for unit in units] == [
        ("1", None, ()), ("2.1", "FE", ("1",)), ("2.2", "QA", ("1",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "there is no item"),
        ("# Tasks\n\nNothing to do.\n", 1, "there is no item"),
        ("x\n- [ ] no id\n", 2, "begins with its id"),
        ("- [ ] 1 a\n- [?] 2 b\n", 2, r"the box \[\?\]"),
        ("- [] 1 a\n", 1, r"the box \[\]"),
        ("- [ ] 1\n", 1, "does not say what"),
        ("- [ ] 1. (role: BE)\n", 1, "does not say what"),
        ("- [ ] 1 a\n\n- [ ] 1 b\n", 3, "there already, in line 1"),
        ("- [ ] 1 a (depends on 7)\n", 1, "no such item"),
        ("- [ ] 1 a (depends on the other)\n", 1, '"the other" names no item'),
        ("- [ ] 1 a (depends on)\n", 1, "names no item"),
        ("- [ ] 1 a (role: )\n", 1, '"" is no role'),
        ("- [ ] 1 a (role: B E)\n", 1, '"B E" is no role'),
        ("- [ ] 1 a (role: BE; soon)\n", 1, '"soon" is neither'),
        ("- [ ] 1 a\n  - [ ] 2.1 b\n", 2, "2.1 stands below 1"),
        ("- [ ] 1 a\n  - [ ] 2 b\n", 2, "2 stands below 1"),
        ("- [ ] 1 a (depends on 1)\n", 1, "1 → 1"),
        ("- [ ] 1 a (depends on 3)\n- [ ] 2 b (depends on 1)\n- [ ] 3 c (depends on 2)\n", 1, "1 → 3 → 2 → 1"),
        ("- [ ] 1 a\n  - [ ] 1.1 b (depends on 1)\n", 2, "1.1 → 1.1"),
        ("".join(f"- [ ] {number} x\n" for number in range(1, 202)), 201, "at most 200"),
        (f"- [ ] 1 {'x' * 301}\n", 1, "at most 300"),
        (f"- [ ] 1 x\n  {'y' * 16385}\n", 1, "longer than 16384"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(TasksUnreadable, match=words) as caught:
        parse(text)
    assert caught.value.line == line
    assert f"line {line}:" in caught.value.detail


def test_ticking_ticks_groups_whose_items_are_all_done_and_changes_nothing_else() -> None:
    assert ticked(EXAMPLE, {"1.2"}) == EXAMPLE.replace("[ ] 1.2", "[x] 1.2").replace("[ ] 1. ", "[x] 1. ")
    assert ticked(EXAMPLE, set()) == EXAMPLE
    assert ticked(EXAMPLE.replace("\n", "\r\n"), {"2"}) == EXAMPLE.replace("[ ] 2", "[x] 2").replace("\n", "\r\n")


WORD = st.from_regex(r"\A[A-Za-z0-9äé`,.:!?\[\]\-]{1,12}\Z")
TITLES = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
BODIES = st.lists(WORD, max_size=3).map("\n".join)


@st.composite
def documents(draw: st.DrawFn) -> list[Item]:
    """Items in groups; each depends only on ones before it that are not around it."""
    keys = [
        key
        for top in range(1, draw(st.integers(1, 4)) + 1)
        for key in (str(top), *(f"{top}.{below}" for below in range(1, draw(st.integers(0, 3)) + 1)))
    ]
    items: list[Item] = []
    for number, key in enumerate(keys):
        before = [other for other in keys[:number] if not key.startswith(f"{other}.")]
        depends_on = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        role = draw(st.sampled_from([None, "BE", "FE", "QA"]))
        items.append(Item(key, draw(TITLES), draw(st.booleans()), role, tuple(depends_on), draw(BODIES)))
    return items


def without_lines(items: list[Item]) -> list[tuple[object, ...]]:
    return [(item.key, item.title, item.done, item.role, item.depends_on, item.body) for item in items]


@given(items=documents())
@settings(max_examples=80, deadline=None)
def test_what_is_rendered_is_read_as_it_was(items: list[Item]) -> None:
    assert without_lines(parse(render(items))) == without_lines(items)


@given(items=documents(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_ticking_changes_boxes_and_nothing_else(items: list[Item], data: st.DataObject) -> None:
    text = render(items)
    done = set(data.draw(st.lists(st.sampled_from([item.key for item in items]))))
    after = ticked(text, done)
    assert after.replace("[x]", "[ ]") == text.replace("[x]", "[ ]")
    units = {unit.item.key for unit in units_of(items)}
    for old, new in zip(parse(text), parse(after), strict=True):
        if old.key in units:
            assert new.done == (old.done or old.key in done)
    assert ticked(after, done) == after


@given(st.text(alphabet="- [x]1.2\n(role: BE;depends on)\t`", max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused_with_a_line_that_it_has(text: str) -> None:
    line = line_of_refusal(text)
    assert line is None or 1 <= line <= max(1, len(text.splitlines()))


def line_of_refusal(text: str) -> int | None:
    try:
        return None if parse(text) else 0
    except TasksUnreadable as error:
        return error.line
