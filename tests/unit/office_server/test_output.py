"""Output is shown from any byte on, without a gap and without half a character."""

import pytest

from office_server.output import Page, stitch
from office_server.rows import OutputChunk
from shared.ids import ByteOffset


def chunk(start: int, text: str, *, raw_bytes: int | None = None) -> OutputChunk:
    length = len(text.encode()) if raw_bytes is None else raw_bytes
    return OutputChunk(start_offset=ByteOffset(start), end_offset=ByteOffset(start + length), text=text)


def page(text: str, start: int, following: int) -> Page:
    return Page(text, ByteOffset(start), ByteOffset(following))


def read(chunks: list[OutputChunk], after: int, limit: int = 1000) -> Page:
    return stitch([c for c in chunks if c.end_offset > after], ByteOffset(after), limit)


def test_chunks_are_joined():
    assert read([chunk(0, "one "), chunk(4, "two")], 0) == page("one two", 0, 7)


def test_output_begins_in_the_middle_of_a_chunk():
    assert read([chunk(0, "one "), chunk(4, "two")], 2) == page("e two", 2, 7)


def test_nothing_new_leaves_the_offset_where_it_was():
    assert read([chunk(0, "one")], 3) == page("", 3, 3)


def test_output_that_was_removed_shows_in_where_the_page_begins():
    assert read([chunk(100, "late")], 10) == page("late", 100, 104)


def test_a_gap_ends_the_page_so_that_text_and_offsets_stay_together():
    chunks = [chunk(0, "one"), chunk(10, "two")]
    assert read(chunks, 0) == page("one", 0, 3)
    assert read(chunks, 3) == page("two", 10, 13)


def test_chunks_that_overlap_show_nothing_twice():
    assert read([chunk(0, "abcd"), chunk(2, "cdef")], 0) == page("abcdef", 0, 6)


@pytest.mark.parametrize("limit", range(1, 12))
def test_pages_of_any_size_put_together_are_the_whole(limit: int):
    chunks = [chunk(0, "grün "), chunk(6, "終わり"), chunk(15, "✔ fertig")]
    at, texts = ByteOffset(0), list[str]()
    for _ in range(40):
        found = read(chunks, at, limit)
        assert found.start == at
        texts.append(found.text)
        at = found.next
    assert "".join(texts) == "grün 終わり✔ fertig"


def test_an_offset_inside_a_character_moves_to_the_next_one():
    assert read([chunk(0, "aü!")], 2) == page("!", 3, 4)


def test_a_chunk_with_bytes_that_were_no_text_is_shown_whole():
    broken = chunk(0, "a\ufffd\ufffdb", raw_bytes=4)
    assert read([broken, chunk(4, "c")], 2) == page("a\ufffd\ufffdbc", 0, 5)
