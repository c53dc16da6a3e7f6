"""The policies of a manifest, added to the draft of the new state; and the refusal of faults that a change would
add, such as a stage that nobody could pass.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Final

import msgspec

from signoff.core.directory.model import (
    PolicyVersion,
)
from signoff.core.formats.manifest import (
    PolicySpec,
)
from signoff.core.policy.policy import Policy
from signoff.core.text import json_value
from signoff.engine.admin.manifest_diff import (
    ManifestDiff,
)
from signoff.engine.directory.eligible_people import (
    Fault,
    count_eligible,
    faults_of,
    known_person,
    refuse_impossible,
    refuse_unknown_teams,
)
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot

_SORTED: Final = msgspec.json.Encoder(order="sorted")


def plan_policy(draft: ManifestDiff, spec: PolicySpec) -> None:
    field = f"policies.{spec.name}"
    known = draft.directory.policies.get(spec.name)
    same = known is not None and known.compiled == spec.policy
    refuse_new_faults(draft, same, lambda directory: _policy_faults(directory, spec.policy, field))
    last = known.row.version if known else draft.directory.ended.get(("policy", spec.name), 0)
    version = last + (not same)
    source = known.row.source if known and same else _SORTED.encode(spec.source)
    row = PolicyVersion(draft.actor.workspace, spec.name, version, source, draft.actor.id, draft.now)
    before = (
        None
        if known is None
        else {"version": known.row.version, "source": json_value.decode(known.row.source)}
    )
    draft.note("policy", spec.name, before, {"version": version, "source": json_value.decode(source)}, row)
    draft.directory = draft.directory.but(
        policies={**draft.directory.policies, spec.name: NamedPolicy(row, spec.policy)}
    )


def _policy_faults(directory: Snapshot, policy: Policy, field: str) -> Iterator[Fault]:
    """Each team and person that a policy names and that does not exist (so that a typo does not go unnoticed), and each
    stage that needs more people than there are.
    """
    for number, stage in enumerate(policy.stages):
        where = f"{field}.approve[{number}]"
        yield from _strangers(directory, stage.approvers, where)
        yield from faults_of(
            partial(refuse_impossible, stage, directory, where, where),
            (where,),
            partial(count_eligible, stage, directory),
        )
    for number, level in enumerate(policy.escalate):
        yield from _strangers(directory, level.to, f"{field}.escalate[{number}]")


def _strangers(directory: Snapshot, names: tuple[str, ...], field: str) -> Iterator[Fault]:
    for name in names:
        yield from faults_of(partial(refuse_unknown_teams, (name,), directory, field), (field, name))
    for name in names:
        if "@" in name or name.startswith("per_"):
            yield from faults_of(partial(known_person, directory, name, field), (field, name))


def refuse_new_faults(draft: ManifestDiff, same: bool, faults: Callable[[Snapshot], Iterable[Fault]]) -> None:
    """Raise the first of the ``faults`` in the workspace after the manifest. If the entry is the ``same`` as before,
    the faults that it already had are tolerated, because people whom it names may have become inactive since it was
    applied; a manifest that leaves it with fewer of them is still refused.
    """
    before: Collection[Fault] | None = None if same else ()
    for fault in faults(draft.directory):
        if before is None:
            before = tuple(faults(draft.before))
        if not fault.was_there(before):
            raise fault.refusal
