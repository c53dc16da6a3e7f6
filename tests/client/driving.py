"""Runs a client flow without network or time: effects get scripted results, and pauses move the clock."""

from collections.abc import Callable
from typing import Any

from signoff.client.errors import SignoffError
from signoff.client.flow import (
    Close,
    Effect,
    Emit,
    Exchange,
    Flow,
    HttpReply,
    Open,
    Pause,
    Read,
    Retries,
    Stepper,
)
from signoff.client.types import Event

SSE = {"content-type": "text/event-stream"}


class Driving:
    """The environment of a flow: ``now`` in seconds, its effects, their results."""

    def __init__(self) -> None:
        self.now = 0.0
        self.effects: list[Effect] = []
        self.emitted: list[Event] = []
        self.retries = Retries(clock=lambda: self.now, chance=lambda: 1.0)

    @property
    def pauses(self) -> list[float]:
        return [effect.seconds for effect in self.effects if isinstance(effect, Pause)]

    @property
    def opened(self) -> list[dict[str, str]]:
        return [effect.call.parameters for effect in self.effects if isinstance(effect, Open)]

    def run(self, flow: Flow[Any], *script: HttpReply | bytes | SignoffError | float) -> Any:
        """The result of the flow. Each step of the script answers one request or read; a number moves the clock."""
        answers = list(script)
        stepper = Stepper(flow)
        while (effect := stepper.effect) is not None:
            self.effects.append(effect)
            self._answer(stepper, effect, answers)
        assert not answers, f"the flow ended before {answers}"
        return stepper.result

    def _answer(self, stepper: Stepper[Any], effect: Effect, answers: list[Any]) -> None:
        if isinstance(effect, Emit):
            self.emitted.append(effect.event)
        if isinstance(effect, Pause):
            self.now += effect.seconds
        if isinstance(effect, Emit | Pause | Close):
            stepper.give(None)
            return
        assert isinstance(effect, Exchange | Open | Read)
        while isinstance(answers[0], float | int):
            self.now += answers.pop(0)
        answer = answers.pop(0)
        give: Callable[[Any], None] = stepper.fail if isinstance(answer, SignoffError) else stepper.give
        give(answer)
