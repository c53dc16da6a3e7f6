"""The SQL of intents, facts, jobs and outbox, by name; ``dialect`` adapts it to each database. SQL that only one
module uses is in that module, in ``tables``.

Statements are written once for both databases: ``:name`` is a parameter, ``in :name`` takes a list, and ``for update``
is dropped for SQLite, which has a single writer. Only this module defines the columns and types of the hot tables.
"""

from typing import Final, NamedTuple


class Table(NamedTuple):
    """A hot table: its columns in the order in which rows are written, and the PostgreSQL type of each."""

    name: str
    columns: dict[str, str]


INTENTS: Final = Table(
    "intents",
    {
        "id": "text",
        "status": "text",
        "waiting": "text",
        "workspace": "text",
        "agent": "text",
        "cursor": "bigint",
        "updated_at": "bigint",
        "wake_at": "bigint",
        "seq": "bigint",
        "head": "text",
        "state": "bytea",
        "shard": "smallint",
        "type": "text",
        "requester": "text",
        "to_agent": "text",
        "reply_to": "text",
        "created_at": "bigint",
        "plan": "text",
        "correlation": "text",
    },
)
# A transition changes the first twelve columns, except id, shard and workspace, which find the row and its cursor.
CHANGES: Final = Table("intents", dict(list(INTENTS.columns.items())[:12]))
FOUND_BY: Final = ("id", "shard", "workspace")
PLANS: Final = Table("plans", {"digest": "text", "body": "bytea"})
SUBMISSIONS: Final = Table("submissions", {"intent_id": "text", "shard": "smallint", "payload": "bytea"})
REVISIONS: Final = Table(
    "revisions", {"intent_id": "text", "revision": "integer", "shard": "smallint", "payload": "bytea"}
)
RESUBMISSIONS: Final = SUBMISSIONS
TARGETS: Final = Table(
    "targets", {"intent_id": "text", "shard": "smallint", "workspace": "text", "target": "text"}
)
DECIDED: Final = Table(
    "decided",
    {
        "intent_id": "text",
        "shard": "smallint",
        "workspace": "text",
        "type": "text",
        "requester": "text",
        "decided_at": "bigint",
    },
)
EVENTS: Final = Table(
    "events",
    {
        "intent_id": "text",
        "seq": "bigint",
        "shard": "smallint",
        "body": "bytea",
        "private": "bytea",
        "hash": "text",
    },
)
CURSORS: Final = Table("cursors", {"workspace": "text", "agent": "text", "seq": "bigint"})
REPLIES: Final = Table(
    "replies",
    {
        "workspace": "text",
        "actor": "text",
        "route": "text",
        "key": "text",
        "fingerprint": "text",
        "body": "bytea",
        "expires_at": "bigint",
        "intent_id": "text",
        "shard": "smallint",
        "life": "bigint",
    },
)
OUTBOX: Final = Table(
    "outbox",
    {
        "id": "text",
        "shard": "smallint",
        "workspace": "text",
        "intent_id": "text",
        "seq": "bigint",
        "kind": "text",
        "channel": "text",
        "target": "text",
        "notice": "bytea",
        "due_at": "bigint",
        "attempts": "integer",
        "last_error": "text",
        "dead": "smallint",
    },
)
# The open tasks by the keys of ``core.intent.worklist``. rank: their order in a person's list.
WORKLIST: Final = Table(
    "worklist",
    {"shard": "smallint", "workspace": "text", "party": "text", "intent_id": "text", "rank": "bigint"},
)
# Deliveries sent on their agent's stream; a row of ``unread`` has the time too.
SENT: Final = Table(
    "unread",
    {"workspace": "text", "agent": "text", "intent_id": "text", "shard": "smallint", "cursor": "bigint"},
)
CLOSED: Final = Table("worklist", dict(list(WORKLIST.columns.items())[:4]))

# A plan that is referenced again must not be deleted. The row is locked even if nothing changes: so a deletion
# happens either before this, and the plan is written again, or after it, and sees the reference.
KEEP_PLAN: Final = """
on conflict (digest) do update set forget_at = null where plans.forget_at is not null
"""
RETARGETED: Final = "on conflict (intent_id, shard) do update set target = excluded.target"
REDECIDED: Final = "on conflict (intent_id, shard) do update set decided_at = excluded.decided_at"
RANKED: Final = "on conflict (workspace, party, intent_id, shard) do update set rank = excluded.rank"
NEXT_CURSORS: Final = """
on conflict (workspace, agent) do update set seq = cursors.seq + excluded.seq returning workspace, agent, seq
"""
_FINAL: Final = "('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT')"
# When a reply expires: it is kept while its intent is open, and then for its lifetime. ``i`` is the intent.
_STANDS_UNTIL: Final = f"""case
    when i.id is null or (i.status in {_FINAL} and i.updated_at + r.life < r.expires_at) then r.expires_at
    when i.status in {_FINAL} then i.updated_at + r.life
    else 253402214400000000 end"""
_REPLIES: Final = "replies r left join intents i on i.id = r.intent_id and i.shard = r.shard"
_THIS_REPLY: Final = """r.workspace = excluded.workspace and r.actor = excluded.actor and r.route = excluded.route
    and r.key = excluded.key"""
# If another transaction has stored a valid reply under the same key, this insert fails, because its body is null.
REPLACE_EXPIRED: Final = f"""
on conflict (workspace, actor, route, key) do update set
    fingerprint = excluded.fingerprint,
    body = case when replies.expires_at <= :now and (
        select {_STANDS_UNTIL} from {_REPLIES} where {_THIS_REPLY}
    ) <= :now then excluded.body end,
    expires_at = excluded.expires_at,
    intent_id = excluded.intent_id,
    shard = excluded.shard,
    life = excluded.life
"""

# ---- reading and locking

LOCK: Final = """
select id, plan, state from intents where id in :ids and shard in :shards order by id for update
"""
HELD: Final = """
with free as materialized (
    select id from intents where id in :ids and shard in :shards order by id for update skip locked
)
select id from intents where id in :ids and shard in :shards except select id from free
"""
LOCK_READY: Final = """
select id, plan, state from intents
where workspace = :workspace and agent = :agent and cursor is not null and not exists (
    select 1 from accounts where workspace = :workspace and address = :agent and address <> '' and killed_at is not null
)
order by cursor limit :limit for update skip locked
"""
LOCK_DUE: Final = """
select id, plan, state from intents where wake_at <= :now order by wake_at limit :limit for update skip locked
"""
DUE: Final = "select id, plan, state from intents where wake_at <= :now order by wake_at limit :limit"
LAST_CHANGES: Final = "select id, last_change from workspaces where id in :spaces"
SET_ASIDE: Final = """
update intents set wake_at = :until where id in :ids and shard in :shards and wake_at <= :now
"""
REPLY: Final = f"""
select fingerprint, body from {_REPLIES}
where r.workspace = :workspace and r.actor = :actor and r.route = :route and r.key = :key
    and {_STANDS_UNTIL} > :now
"""
REPLIED: Final = f"select r.*, {_STANDS_UNTIL} as stands_until from {_REPLIES}"
PLAN: Final = "select digest, body from plans where digest in :digests"

_STORED: Final = """
select i.id, i.plan, i.state, s.payload from intents i
join submissions s on s.intent_id = i.id and s.shard = i.shard
"""
STORED_ONE: Final = f"{_STORED} where i.id = :id and i.shard = :shard"
OPEN_TASKS: Final = """
select i.id, i.plan, i.state, s.payload from worklist w
join intents i on i.id = w.intent_id and i.shard = w.shard
join submissions s on s.intent_id = w.intent_id and s.shard = w.shard
where w.workspace = :workspace and w.party = :party and w.intent_id > :after order by w.intent_id limit :limit
"""
STORED_SOME: Final = f"{_STORED} where i.id in :ids and i.shard in :shards"
STORED_BARE: Final = """
select id, plan, state, null as payload from intents where id in :ids and shard in :shards
"""
# One part per key, so that each uses the index and stops at the limit: see ``Intents.found_under``.
BY_RANK: Final = """
select * from (
    select rank, intent_id from worklist
    where workspace = :workspace and party = :{party} and rank >= 0 and (rank, intent_id) > (:rank, :after)
    order by rank, intent_id limit :limit
) {party}
"""
BY_AGE: Final = """
select * from (
    select 0 as rank, intent_id from worklist
    where workspace = :workspace and party = :{party} and intent_id > :after
    order by intent_id limit :limit
) {party}
"""
LISTED_UNDER: Final = """
select party, rank from worklist
where workspace = :workspace and party in :parties and intent_id = :id and shard = :shard
"""
WHOLE_WORKLIST: Final = """
select workspace, party, intent_id from worklist
where (workspace, party, intent_id) > (:workspace, :party, :after)
order by workspace, party, intent_id limit :limit
"""
DELIVERIES: Final = """
select id, plan, state, cursor from intents
where workspace = :workspace and agent = :agent and cursor > :after order by cursor limit :limit
"""
HISTORY: Final = """
select seq, body, private, hash from events
where intent_id = :id and shard = :shard and seq > :after order by seq limit :limit
"""
# The earlier requests with the same target, the last first; without their payloads.
SAME_TARGET: Final = """
select i.id, i.plan, i.state, null as payload from targets own
join targets t on t.workspace = own.workspace and t.target = own.target and t.intent_id < own.intent_id
join intents i on i.id = t.intent_id and i.shard = t.shard
where own.intent_id = :id and own.shard = :shard and own.target <> '' order by t.intent_id desc limit :limit
"""
# The intents that were decided last. ``{where}``: one of ``DECIDED_OF``, which each has an index.
LAST_DECIDED: Final = """
select decided_at, intent_id from decided
where {where} and (decided_at, intent_id) < (:at, :before) order by decided_at desc, intent_id desc limit :limit
"""
DECIDED_OF: Final = {
    "requester": "workspace = :workspace and requester = :requester",
    "type": "workspace = :workspace and type = :type",
    "": "workspace = :workspace",
}
# Few intents share a correlation id, so those are sorted.
DECIDED_CORRELATED: Final = """
select d.decided_at, d.intent_id from intents i join decided d on d.intent_id = i.id and d.shard = i.shard
where i.workspace = :workspace and i.correlation = :correlation and (d.decided_at, d.intent_id) < (:at, :before)
order by d.decided_at desc, d.intent_id desc limit :limit
"""
HISTORIES: Final = """
select intent_id, seq, body, private, hash from events
where intent_id in :ids and shard in :shards order by intent_id, seq limit :limit
"""
# By the id alone: for the integrity check, which does not trust the shard.
ROW: Final = f"select {', '.join(INTENTS.columns)} from intents where id = :id"
IDS: Final = "select id from intents where id > :after order by id limit :limit"
NEXT_WAKE: Final = "select min(wake_at) from intents where wake_at is not null"

# ---- lists of intents, newest first: the only statements that are composed of pieces

LISTED: Final = "select id from ({ids}) found order by id {order} limit :limit"
LISTED_IDS: Final = "select id from intents where {where} order by id {order} limit :limit"
LISTED_WHERE: Final = {
    "workspace": "workspace = :workspace",
    "type": "type = :type",
    "requester": "requester = :requester",
    "correlation": "correlation = :correlation",
    "before": "id < :before",
    "after": "id > :after",
    "older_than": "updated_at < :older_than",
    "changed_since": "updated_at >= :changed_since",
}
STATUSES: Final = tuple(f"status_{letter}" for letter in "abcdefghij")  # one of each possible status
# As in the partial index.
OPEN_OF: Final = """
select count(*) from (
    select 1 from intents /* indexed by intents_open */ where workspace = :workspace and requester = :requester
        and status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT') limit :most
) as open_ones
"""
INVOLVED: Final = ("requester = :involved", "to_agent = :involved")
OWNER: Final = ("reply_to = :owner", "to_agent = :owner")
IN_HAND: Final = """
select id, plan, state from intents where workspace = :workspace and status = :status and id > :after
order by id limit :limit
"""
WAITING_FOR: Final = """
select distinct agent from intents where workspace = :workspace and agent in :agents and cursor is not null
"""

# ---- give READY deliveries a new position in their agent's stream

# Only deliveries that have not moved since they were sent: a concurrent reader may have moved them.
_UNMOVED: Final = """
from intents i join unread s on s.workspace = i.workspace and s.agent = i.agent and s.intent_id = i.id
    and s.shard = i.shard and s.cursor = i.cursor
where i.id in :ids and i.shard in :shards and i.workspace = :workspace and i.agent = :agent
"""
REDELIVER_LOCK: Final = f"select i.id {_UNMOVED} order by i.id for update of i"
REDELIVER_COUNT: Final = f"""
insert into cursors (workspace, agent, seq)
select i.workspace, i.agent, 2 * count(*) {_UNMOVED} group by i.workspace, i.agent
on conflict (workspace, agent) do update set seq = cursors.seq + excluded.seq
"""
REDELIVER: Final = f"""
with moved as (
    select place.id as id, place.shard as shard, c.seq - 2 * (place.number - 1) as cursor
    from (select i.id as id, i.shard as shard, row_number() over (order by i.id desc) as number {_UNMOVED}) place
    join cursors c on c.workspace = :workspace and c.agent = :agent
) update intents set cursor = moved.cursor from moved where intents.id = moved.id and intents.shard = moved.shard
"""

# ---- deliveries sent on an agent's stream and not read yet

_SENT_AGAIN: Final = """
on conflict (workspace, agent, intent_id, shard) do update set cursor = excluded.cursor, shown_at = excluded.shown_at
"""
# ``n`` is what was sent, a row of ``SENT``. A delivery that has changed since then has another cursor, or none.
PUT_SENT: Final = f"""
insert into unread (workspace, agent, intent_id, shard, cursor, shown_at)
select n.workspace, n.agent, n.intent_id, n.shard, n.cursor, :now from {{sent}} join intents i
    on i.id = n.intent_id and i.shard = n.shard and i.workspace = n.workspace and i.agent = n.agent
    and i.cursor = n.cursor
where true order by n.intent_id {_SENT_AGAIN}
"""
# The same, for deliveries that get their cursor in this transaction.
PUT_FOLLOWED: Final = f"""
insert into unread (workspace, agent, intent_id, shard, cursor, shown_at) {{followed}} {_SENT_AGAIN}
"""
# ``up``: whether this is still the delivery that was sent, and is claimable.
SHOWN: Final = """
select s.intent_id, s.cursor, s.shown_at, case when i.cursor = s.cursor and i.agent = s.agent then 1 else 0 end as up
from unread s left join intents i on i.id = s.intent_id and i.shard = s.shard
where s.workspace = :workspace and s.agent = :agent order by s.intent_id limit :limit
"""
WAS_SHOWN: Final = """
select cursor from unread
where workspace = :workspace and agent = :agent and intent_id = :id and shard = :shard
"""
FORGET_SHOWN: Final = """
delete from unread where workspace = :workspace and agent = :agent and intent_id in :ids and shard in :shards
"""

# ---- retention

FORGETTABLE: Final = """
select id, plan from intents
where status in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT') and updated_at < :before
    and not exists (
        select 1 from outbox o where o.intent_id = intents.id and o.shard = intents.shard and o.dead = 0
    )
order by updated_at limit :limit
"""
PAYLOADS: Final = """
select id, updated_at from intents
where status in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT') and updated_at >= :since and updated_at < :before
order by updated_at limit :limit
"""
_OF_THESE: Final = "intent_id in :ids and shard in :shards"
# An empty payload means that it was deleted: a submitted one is at least {}.
FORGET_PAYLOADS: Final = (
    f"update submissions set payload = substr(payload, 1, 0) where {_OF_THESE} and length(payload) > 0"
    " returning intent_id",
    f"update revisions set payload = substr(payload, 1, 0) where {_OF_THESE} and length(payload) > 0",
    f"delete from targets where {_OF_THESE}",
)
FORGET: Final = (
    f"delete from events where {_OF_THESE}",
    f"delete from submissions where {_OF_THESE}",
    f"delete from revisions where {_OF_THESE}",
    f"delete from outbox where {_OF_THESE}",
    f"delete from messages where {_OF_THESE}",
    f"delete from showings where {_OF_THESE}",
    f"delete from views where {_OF_THESE}",
    f"delete from uses where {_OF_THESE}",
    f"delete from targets where {_OF_THESE}",
    f"delete from decided where {_OF_THESE}",
    "delete from intents where id in :ids and shard in :shards returning id",
    # Locked in order, like the plans of a batch, and last, because batches also lock intents first.
    """
    with named as materialized (select digest from plans where digest in :plans order by digest for update)
    update plans set forget_at = :forget_at where digest in (select digest from named)
    """,
)
_DUE_PLANS: Final = """
with due as materialized (
    select digest from plans where forget_at <= :now order by forget_at limit :limit for update skip locked
)"""
_NAMED: Final = """(exists (select 1 from intents where intents.plan = plans.digest)
    or exists (select 1 from workflows where workflows.plan_digest = plans.digest))"""
# A plan with remaining references is marked again when those are deleted.
FORGET_PLANS: Final = (
    f"{_DUE_PLANS} update plans set forget_at = null where digest in (select digest from due) and {_NAMED}"
    " returning digest",
    f"{_DUE_PLANS} delete from plans where digest in (select digest from due) and not {_NAMED}"
    " returning digest",
)
# An expired row that is still needed gets a new expiry, so that not every run checks it.
RENEW_REPLIES: Final = f"""
with standing as materialized (
    select r.workspace, r.actor, r.route, r.key,
        case when i.status in {_FINAL} then i.updated_at + r.life else :now + r.life end as until
    from replies r join intents i on i.id = r.intent_id and i.shard = r.shard
    where r.expires_at <= :now and {_STANDS_UNTIL} > :now order by r.expires_at limit :limit
) update replies set expires_at = standing.until from standing
where replies.workspace = standing.workspace and replies.actor = standing.actor
    and replies.route = standing.route and replies.key = standing.key
"""
FORGET_REPLIES: Final = f"""
with over as materialized (
    select r.workspace, r.actor, r.route, r.key from {_REPLIES}
    where r.expires_at <= :now and {_STANDS_UNTIL} <= :now
    order by r.expires_at limit :limit for update of r skip locked
) delete from replies where (workspace, actor, route, key) in (select workspace, actor, route, key from over)
returning key
"""

# ---- the outbox

OUTBOX_COLUMNS: Final = ", ".join(name for name in OUTBOX.columns if name != "shard")
OUTBOX_TAKE: Final = f"""
with taken as materialized (
    select id, shard from outbox where dead = 0 and due_at <= :now
    order by due_at limit :limit for update skip locked
) update outbox set due_at = :until where (id, shard) in (select id, shard from taken)
returning {OUTBOX_COLUMNS}
"""
PUT_OUTGOING: Final = f"""
insert into outbox ({", ".join(OUTBOX.columns)}) values ({", ".join(f":{name}" for name in OUTBOX.columns)})
"""
OUTBOX_DONE: Final = "delete from outbox where id in :ids and shard in :shards"
OUTBOX_AGAIN: Final = """
update outbox set due_at = :due_at, last_error = :error, attempts = attempts + 1
where id = :id and shard = :shard and dead = 0
"""
OUTBOX_BACK: Final = "update outbox set due_at = :due_at where id in :ids and shard in :shards and dead = 0"
OUTBOX_ASIDE: Final = """
update outbox set due_at = :due_at, last_error = :error where id = :id and shard = :shard and dead = 0
"""
OUTBOX_DEAD: Final = """
update outbox set dead = 1, last_error = :error, attempts = attempts + 1 where id = :id and shard = :shard
"""
OUTBOX_COUNTS: Final = "select dead, count(*) from outbox group by dead"
OUTBOX_ALL: Final = f"select {OUTBOX_COLUMNS} from outbox where id > :after order by id limit :limit"
OUTBOX_LISTING: Final = f"""
select {OUTBOX_COLUMNS} from outbox where workspace = :workspace order by id desc limit :limit
"""

# ---- the directory: statements other than a plain select or insert of ``entries``

LATEST_VERSION: Final = """version = (
    select max(v.version) from workflows v where v.workspace = w.workspace and v.intent_type = w.intent_type
)"""
PUT_PLAN: Final = f"insert into plans (digest, body) values (:digest, :body) {KEEP_PLAN}"
UPDATE_WORKSPACE: Final = """
update workspaces set self_approval = :self_approval, self_approval_alone = :self_approval_alone,
    positive_fallback = :positive_fallback, protected = :protected,
    default_policy = :default_policy, unlisted_types = :unlisted_types,
    organization = :organization, name = :name, former = :former
where id = :id
"""
UNDERSTAFFED_CHECKED: Final = """
update workspaces set staffed_change = :change where id = :id and staffed_change < :change
"""
LATEST_POLICY: Final = """version = (
    select max(v.version) from policies v where v.workspace = w.workspace and v.name = w.name
)"""
OLD_PAYLOADS: Final = """
select revision, payload from revisions
where intent_id = :id and shard = :shard and length(payload) > 0 order by revision
"""
# Assigns the numbers and takes the workspace's lock, so that concurrent changes wait here. The column's check refuses
# a ``since`` that is no longer the last change.
NUMBER_CHANGES: Final = """
update workspaces set
    last_change = case when cast(:since as bigint) in (-1, last_change) then last_change + :count else -1 end
where id = :workspace
"""
NUMBERED: Final = "(select last_change from workspaces where id = :workspace) - :number"

PING: Final = "select 1"
# A write without effect, which fails on a full disk or a read-only standby.
PROBE: Final = "update workspaces set name = name where id = (select min(id) from workspaces)"

# Statements that read a few rows by key. On SQLite, where a read is a function call, another thread is not worth its
# cost for these.
QUICK: Final = frozenset({STORED_ONE, HISTORY, DELIVERIES, PLAN, NEXT_WAKE})
