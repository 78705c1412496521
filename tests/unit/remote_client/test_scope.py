"""The scope of a persona: patterns that mean what they mean in a .gitignore."""

import pytest

from remote_client.scope import Scope


def test_without_patterns_everything_may_be_changed() -> None:
    assert Scope([]).outside(["anything", "any/where"]) == []
    assert not Scope([])


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("src/**", ["src/a.py", "src/deep/b.py"], ["lib/src/a.py", "src.py"]),
        ("src/", ["src/a.py", "lib/src/a.py"], ["src"]),
        ("*.md", ["README.md", "docs/deep/x.md"], ["x.mdx"]),
        ("/*.md", ["README.md"], ["docs/x.md"]),
        ("**/schema*", ["schema.sql", "db/schema/one.sql"], ["db/my-schema.sql"]),
        ("Dockerfile*", ["Dockerfile", "images/Dockerfile.web"], ["dockerfile"]),
        (".github/**", [".github/workflows/ci.yml"], ["github/x"]),
        ("docs/[a-c]?.txt", ["docs/b1.txt"], ["docs/d1.txt", "docs/b.txt"]),
    ],
)
def test_a_pattern(pattern: str, inside: list[str], outside: list[str]) -> None:
    assert Scope([pattern]).outside(inside) == []
    assert Scope([pattern]).outside([*outside, *inside]) == sorted(outside)


def test_a_later_pattern_takes_something_out_again() -> None:
    scope = Scope(["src/**", "!src/generated/**", "src/generated/keep.txt"])
    assert scope.outside(["src/a", "src/generated/x", "src/generated/keep.txt"]) == ["src/generated/x"]


def test_what_is_no_pattern_allows_nothing_and_stops_nobody() -> None:
    assert Scope(["!", "src/**"]).outside(["src/a", "b"]) == ["b"]
    assert Scope(["!"]).outside(["b"]) == ["b"]
