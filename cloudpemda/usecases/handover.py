"""Handover: the clusters are made to say to whom a workload belongs since the ledger does.

Pool, tags, description, firewall and the rules that keep VMs apart are put right as `apply` puts
right what another hand has changed; then the security groups of the former name go. `apply` goes
on with what is not through, and so does the command that began it.
"""

from cloudpemda.apply import VmEnding, apply_workload
from cloudpemda.apply.groups import drop_groups
from cloudpemda.errors import CloudpemdaError, ExitCode, Fault, worst
from cloudpemda.ledger import RequestRecord, SagaEvent
from cloudpemda.ledger.transfers import TRANSFER
from cloudpemda.plan.firewall import kind_of
from cloudpemda.saga import Ending
from cloudpemda.usecases.cut_off import of_kind
from cloudpemda.usecases.desk import Desk
from cloudpemda.usecases.plan import draw_up
from cloudpemda.usecases.run import Applied, Run, faults_of
from cloudpemda.usecases.workload import standing_placement


def unfinished(desk: Desk) -> frozenset[str]:
    """The numbers of requests whose transfer has not come to its end on the clusters."""
    return of_kind(desk, TRANSFER)


def open_fault(record: RequestRecord) -> Fault:
    """What is to be told of one."""
    return Fault("transfer.unfinished", {"key": record.key, "opd": record.opd})


class Handover(Run):
    """One workload that has changed its OPD in the ledger."""

    def forward(self) -> Applied:
        instances = self._instances()
        placement = standing_placement(self._state.name, instances, self._state)
        planned = draw_up(self._workload, self._state, instances, placement)
        with self._open(TRANSFER) as journal:
            if not journal.resumed:  # another came to its end, or a retirement gave it up
                journal.close(SagaEvent.FINISH)
                return Applied(self._fresh(), None, None, (), ExitCode.DONE)
            journal.note_plan(planned.plan.digest)
            tools = self._tools(journal)
            result = apply_workload(planned.desired, tools)
            self._say("request.transfer-run", result, journal, plan=planned.plan.digest)
            faults, code = faults_of(result), result.exit_code
            if all(vm.ending is VmEnding.ACTIVE for vm in result.vms):
                try:
                    ended = drop_groups(self._former_kinds(), self._record.number, tools)
                    left = () if ended.error is None else ended.error.faults
                    done = ended.ending is Ending.DONE
                except CloudpemdaError as error:
                    left, done = error.faults, False
                faults = (*faults, *left)
                if done:
                    journal.close(SagaEvent.FINISH)
                else:
                    code = worst([code, ExitCode.INCOMPLETE])
        if code is not ExitCode.DONE:
            faults = (open_fault(self._fresh()), *faults)
        return Applied(self._fresh(), planned, result, faults, code)

    def _former_kinds(self) -> frozenset[str]:
        """The kinds of VM that exposed something under a name that it had before, but for those
        that are somebody's name today."""
        ledger, record = self._desk.ledger, self._record
        specs = [ledger.requests.spec(record.number, one) for one in range(1, record.revision)]
        former = {
            f"{spec.key}/{vm.name}"
            for spec in specs
            if spec.key != record.key
            for vm in spec.vms
            if vm.expose is not None
        }
        if not former:
            return frozenset()
        return frozenset(former - {kind_of(one.key) for one in ledger.instances.list()})
