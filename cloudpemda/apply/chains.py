"""Steps as one VM's chain: with what an apply works with, told in the VM's own name."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudpemda.apply.failures import meaning
from cloudpemda.apply.tools import Tools
from cloudpemda.saga import Chain, Retry, Step, StepState


def chain_of(key: str, subject: str, steps: Sequence[Step], tools: Tools) -> Chain:
    """The chain of the VM `key`, from wherever the journal stands; `subject` is what the journal
    knows it by."""
    return Chain(
        subject=subject,
        steps=steps,
        journal=tools.journal,
        clock=tools.clock,
        entropy=tools.entropy,
        retry=Retry(meaning),
        halted=tools.halted,
        observe=_Reporter(key, tools, [step.name for step in steps]),
    )


@dataclass(frozen=True, slots=True)
class _Reporter:
    """A chain's observer that tells progress in the VM's own name."""

    key: str
    tools: Tools
    names: Sequence[str]

    def __call__(self, subject: str, step: str, state: StepState) -> None:
        at = self.names.index(step) + (1 if state in {StepState.DONE, StepState.UNDOING} else 0)
        self.tools.progress(self.key, step, state, at / len(self.names))
