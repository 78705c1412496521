"""The git filter that keeps our block out of every commit, and puts it back whenever git writes the file.

`clean` is also how we take the block out ourselves: there is one way to do it. Needs sh and awk, as git itself does sh.
"""

import subprocess
from pathlib import Path

from shared.errors import SessionFailed

NAME = "semo-persona"
BEGIN = "<!-- semo:persona:begin -->"
END = "<!-- semo:persona:end -->"
BLOCK = "semo-persona"
"""The file in a worktree's git folder that holds the block as it was injected, marks included."""

_BLOCK_HERE = f'"$(git rev-parse --git-path {BLOCK})"'
# Of a block whose end somebody deleted, only the lines that we wrote go: the rest is theirs.
_AWK = f"""
{{ line = $0; sub(/\\r$/, "", line) }}
!ours && line == "{BEGIN}" {{ ours = 1; kept = 0; next }}
ours && line == "{END}" {{ ours = 0; next }}
ours && line == "{END}x" {{ ours = 0; print "x"; next }}
ours {{ lines[kept++] = $0; next }}
{{ print }}
END {{
  if (!ours) exit
  while ((getline line < block) > 0) known[line] = 1
  for (n = 0; n < kept; n++) if (!(lines[n] in known)) print lines[n]
}}"""
# The x keeps awk from adding a last newline to a file that has none, and shows that awk came to the end.
CLEAN = (
    f"text=$({{ cat; printf x; }} | LC_ALL=C awk -v block={_BLOCK_HERE} '{_AWK}') || exit 1; "
    'case "$text" in *x) printf %s "${text%x}";; *) exit 1;; esac'
)
SMUDGE = f'block={_BLOCK_HERE}; if [ -f "$block" ]; then cat "$block" -; else cat; fi'


def block_of(rendered: str) -> bytes:
    """The marked block of a persona, which cannot end early."""
    lines = [line for line in rendered.splitlines() if line.strip() not in (BEGIN, END)]
    return "".join(f"{line}\n" for line in (BEGIN, *lines, END)).encode()


def without_block(text: bytes, worktree: Path) -> bytes:
    """
    Raises:
        SessionFailed: the machine has no sh or awk.
    """
    if BEGIN.encode() not in text:
        return text
    done = subprocess.run(["sh", "-c", CLEAN], cwd=worktree, input=text, capture_output=True, check=False)
    if done.returncode != 0:
        raise SessionFailed(f"the persona could not be taken out again: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
