"""Prompts of spec tasks as scripts for the `shell` agent, which do what a planning and a working agent would."""

PLANNING = """: <<'COMMENTS'
{{comments}}
COMMENTS
mkdir -p {{folder}} && cd {{folder}}
echo 'WHEN it is asked THE SYSTEM SHALL answer.' > requirements.md
echo '# Design of round {{round}}' > design.md
cat > tasks.md <<'TASKS'
%s
TASKS
echo '{"name": "{{name}}"}' > spec-metadata.json
git add -A . && git commit -qm 'Plan {{round}}'
echo '{{done}}'
"""
"""With the text of tasks.md in it."""

WORK = """{{body}}
git add -A && git commit -qm '{{label}}'
echo '{{done}}'
"""
