"""The rules of a policy that a person wants to see at a glance, each in a word or two. The file says all of them."""

from remote_client.policy import Policy


def rules_of(policy: Policy) -> list[tuple[str, str]]:
    """By name: stable, for whoever shows them in another language; and what they say."""
    agents = [
        name if rule.permission_mode == "default" else f"{name} ({rule.permission_mode})"
        for name, rule in policy.agents.items()
        if rule.enabled
    ]
    allowed = [name for name, on in (("push", policy.pull_requests.push), ("merge", policy.pull_requests.merge)) if on]
    tools = policy.approvals.tools
    approvals = ("all" if tools is None else ", ".join(tools)) if policy.approvals.remote else "none"
    return [
        ("allowed_roots", ", ".join(str(root) for root in policy.allowed_roots)),
        ("agents", ", ".join(agents) or "none"),
        ("max_sessions", str(policy.limits.max_sessions)),
        ("min_free_memory_mb", str(policy.limits.min_free_memory_mb)),
        ("run_time_s", f"{policy.limits.run_time_s:g}"),
        ("approvals", approvals),
        ("pull_requests", ", ".join(allowed) or "none"),
        ("checks", ", ".join(policy.checks) or "none"),
        ("on_revoked", policy.on_revoked),
    ]
