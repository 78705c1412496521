"""An agent that is described by data: its command line, its looks, and the signals of its own that it can be asked for.

How one is driven is in `screen_driver`; which there are, in `further_agents`. Never reads or writes the person's own
configuration of an agent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from remote_client.agents.adapter import Abilities, AgentDriver, Launch, Wish
from remote_client.agents.pasting import CLEAR_LINE, ESCAPE
from remote_client.agents.program import allowed_model, mcp_file, named_environment, version_of
from remote_client.agents.screen_driver import ScreenDriver
from remote_client.agents.screen_manner import Manner
from remote_client.monitor.patterns import PatternTable
from remote_client.policy import AgentRule
from remote_client.terminals import Terminals
from shared.errors import InvalidPayload
from shared.ids import SessionId

CLEAR_INPUT = (ESCAPE, CLEAR_LINE * 40)


@dataclass(frozen=True)
class Addition:
    """What is added to a command line and to an environment."""

    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ScreenAgent:
    """One kind of agent. In arguments "{}" stands for what is asked for; the office's words never stand alone in one.

    `modes`: the permission modes of a policy that it has, and how it is told; "default" asks before it acts.
    `signals`: what makes it tell of its turns, and read the persona.
    `mcp_variable`: the environment variable that names a file of MCP servers.
    """

    name: str
    command: Sequence[str]
    modes: Mapping[str, Addition]
    manner: Manner
    abilities: Abilities
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    model: str = "--model={}"
    mcp_variable: str | None = None
    resume_first: Sequence[str] = ()
    resume_last: Sequence[str] = ()
    signals: Callable[[Wish, AgentRule], Addition] | None = None


class ScreenAdapter:
    """A kind of agent as the machine's policy allows it."""

    def __init__(self, kind: ScreenAgent, agent: str, rule: AgentRule) -> None:
        """
        Raises:
            InvalidPayload: the policy wants a permission mode that this kind does not have.
        """
        if rule.permission_mode not in kind.modes:
            modes = ", ".join(kind.modes)
            raise InvalidPayload(
                f'[agents.{agent}] permission_mode: {kind.name} has no mode "{rule.permission_mode}", but {modes}'
            )
        self.name = kind.name
        self.abilities = kind.abilities
        self._kind = kind
        self._agent = agent
        self._rule = rule
        self._program = tuple(rule.command or kind.command)

    def version(self) -> str | None:
        return version_of(self._program)

    def launch(self, wish: Wish) -> Launch:
        """
        Raises:
            PolicyForbids: a model or an MCP configuration that the policy does not name.
        """
        kind, rule = self._kind, self._rule
        mode = kind.modes[rule.permission_mode]
        signals = kind.signals(wish, rule) if kind.signals is not None else Addition()
        first, last = (kind.resume_first, kind.resume_last) if wish.resume is not None else ((), ())
        command = [*self._program, *first, *kind.arguments, *mode.arguments, *signals.arguments]
        if wish.model is not None:
            command.append(kind.model.format(allowed_model(self._agent, rule, wish.model)))
        command += [part.format(wish.resume) for part in last]
        environment = {
            **named_environment(rule), "TERM": "xterm-256color", **kind.environment, **mode.environment,
            **signals.environment,
        }  # fmt: skip
        if wish.mcp is not None and kind.mcp_variable is not None:
            environment[kind.mcp_variable] = mcp_file(self._agent, rule, wish.mcp)
        return Launch(command, environment, {"state": str(wish.state)})

    def drive(
        self,
        session_id: SessionId,
        terminals: Terminals,
        memory: Mapping[str, str],
        patterns: PatternTable | None = None,
    ) -> AgentDriver:
        return ScreenDriver(session_id, terminals, patterns, self._kind.manner, Path(memory["state"]))
