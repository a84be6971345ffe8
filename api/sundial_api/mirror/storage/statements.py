"""Which statements does the mirror send? A batch of rows goes as one JSON document in one statement.

Postgres turns the document into typed rows, for a tenth of the CPU time that binding each value takes here.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import TextClause, text

from sundial_api.mirror.projection.scheduled_jobs import RECENT_KEPT

NEWER = "(known.epoch, known.resource_version) < (EXCLUDED.epoch, EXCLUDED.resource_version)"
"""The guard of a row that is one object: what is not newer changes nothing."""
FIRST_ID = "00000000-0000-0000-0000-000000000000"
"""Where a round over all jobs, in the order of their ids, begins."""
NEWER_OR_FULLER = (
    "(known.epoch, known.resource_version, known.projection)"
    " < (EXCLUDED.epoch, EXCLUDED.resource_version, EXCLUDED.projection)"
)
"""The same, but what an older release wrote of the same version is written again."""


def list_columns(row: type[Any]) -> tuple[str, ...]:
    """List the columns that a row value has."""
    return tuple(field.name for field in fields(row))


def build_upsert(table: str, columns: tuple[str, ...], key: str, guard: str = "") -> TextClause:
    """Build the statement that takes `:rows`, a JSON list of objects with these columns."""
    names = ", ".join(columns)
    keys = key.split(", ")
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in columns if name not in keys)
    return text(
        f"INSERT INTO {table} AS known ({names})"
        f" SELECT {names} FROM json_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS json))"
        f" ON CONFLICT ({key}) DO UPDATE SET {changes}{f' WHERE {guard}' if guard else ''}"
    )


LOCK_WRITES = text("SELECT pg_advisory_xact_lock(:key)")
READ_EPOCH = text("SELECT epoch, highest_resource_version, step FROM scheduler_mirror_state")
TAKE_STEP = text("UPDATE scheduler_mirror_state SET step = step + 1 WHERE step = :known RETURNING step")
RAISE_STEP = text("UPDATE scheduler_mirror_state SET step = greatest(step, :known) + 1 RETURNING step")
BEGIN_EPOCH = text(
    "WITH log AS (UPDATE scheduler_event_log SET log_id = gen_random_uuid() RETURNING log_id)"
    " UPDATE scheduler_mirror_state SET epoch = epoch + 1, highest_resource_version = 0 FROM log"
    " RETURNING epoch"
)
NOTE_PROGRESS = text(
    "UPDATE scheduler_mirror_state SET watermarks = CAST(:watermarks AS jsonb), instance_id = :instance,"
    " last_synced_at = coalesce(CAST(:synced_at AS timestamptz), last_synced_at),"
    " mirrored_until = coalesce(CAST(:mirrored_until AS timestamptz), mirrored_until)"
)
NOTE_HIGHEST = text(
    "UPDATE scheduler_mirror_state SET highest_resource_version = :number"
    " WHERE epoch = :epoch AND highest_resource_version < :number"
)

FIND_FUNCTION_IDS = text(
    "SELECT ids.id, ids.namespace, ids.resource_name FROM scheduler_task_function_ids ids"
    " JOIN json_to_recordset(CAST(:names AS json)) AS wanted (namespace text, resource_name text)"
    " ON ids.namespace = wanted.namespace AND ids.resource_name = wanted.resource_name"
)
FIND_ID_OWNERS = text(
    "SELECT id, namespace, resource_name FROM scheduler_task_function_ids WHERE id = ANY(:ids)"
)
ADD_FUNCTION_IDS = text(
    "INSERT INTO scheduler_task_function_ids (id, namespace, resource_name)"
    " SELECT id, namespace, resource_name"
    " FROM json_to_recordset(CAST(:rows AS json)) AS new (id int, namespace text, resource_name text)"
)
NEXT_FUNCTION_IDS = text(
    "SELECT id FROM scheduler_task_function_ids WHERE id > :after ORDER BY id LIMIT :limit"
)
_UNUSED_IDS = (
    "FROM scheduler_task_function_ids AS ids WHERE id = ANY(:ids)"
    " AND NOT EXISTS (SELECT FROM task_functions WHERE task_functions.id = ids.id)"
    " AND NOT EXISTS (SELECT FROM scheduled_jobs WHERE task_function_id = ids.id)"
)
FIND_UNUSED_IDS = text(f"SELECT id {_UNUSED_IDS}")
DELETE_UNUSED_IDS = text(f"DELETE {_UNUSED_IDS}")
INHERIT_TIMEOUTS = text(
    "UPDATE scheduled_jobs SET timeout_seconds = f.default_timeout_seconds FROM task_functions f"
    " WHERE f.id = task_function_id AND f.id = ANY(:ids) AND own_timeout_seconds IS NULL"
    " AND scheduled_jobs.deleted_at IS NULL AND timeout_seconds <> f.default_timeout_seconds"
)
READ_TIMEOUTS = text(
    "SELECT id, default_timeout_seconds FROM task_functions WHERE id = ANY(:ids) AND deleted_at IS NULL"
)
BURY_FUNCTIONS = text(
    "UPDATE task_functions SET deleted_at = :now, epoch = v.epoch, resource_version = v.number"
    " FROM json_to_recordset(CAST(:rows AS json)) AS v (uid uuid, epoch int, number bigint)"
    " WHERE task_functions.uid = v.uid AND (task_functions.epoch, resource_version) < (v.epoch, v.number)"
)
_COVERED = "(CAST(:ns AS text) IS NULL OR namespace = :ns) AND NOT namespace = ANY(CAST(:excepted AS text[]))"
"""What a list is about."""
FIND_ABSENT_FUNCTIONS = text(
    "SELECT uid FROM task_functions WHERE deleted_at IS NULL AND uid IS NOT NULL"
    " AND (epoch, resource_version) < (:epoch, :number) AND NOT uid = ANY(CAST(:listed AS uuid[]))"
    f" AND {_COVERED}"
)

READ_SCHEDULES = text(
    "SELECT id, epoch, resource_version, cursor, recent_slots, covered_until, covered_slots,"
    " covered_out_of_order, covered_tail_from, covered_tail_count, out_of_order, has_gap, gap_version,"
    " history_floor, projection, etag, generation, updated_at, deleted_at,"
    " EXISTS (SELECT FROM scheduler_job_states WHERE job_id = id) AS has_state"
    " FROM scheduled_jobs WHERE id = ANY(CAST(:ids AS uuid[]))"
)
READ_STANDINGS = text(
    "SELECT id, namespace, resource_name, epoch, resource_version, deleted_at, history_floor, cursor,"
    " active_runs, active_omitted,"
    f" recent_slots->{RECENT_KEPT - 1} AS oldest FROM scheduled_jobs WHERE id = ANY(CAST(:ids AS uuid[]))"
)
FIND_NAMESAKES = text(
    "SELECT jobs.id, jobs.namespace, jobs.resource_name, epoch, resource_version FROM scheduled_jobs jobs"
    " JOIN json_to_recordset(CAST(:names AS json)) AS wanted (namespace text, resource_name text)"
    " ON jobs.namespace = wanted.namespace AND jobs.resource_name = wanted.resource_name"
    " WHERE deleted_at IS NULL"
)
BURY_SCHEDULES = text(
    "UPDATE scheduled_jobs SET deleted_at = :now, epoch = v.epoch, resource_version = v.number"
    " FROM json_to_recordset(CAST(:rows AS json)) AS v (id uuid, epoch int, number bigint)"
    " WHERE scheduled_jobs.id = v.id AND deleted_at IS NULL"
    " AND (scheduled_jobs.epoch, resource_version) <= (v.epoch, v.number) RETURNING scheduled_jobs.id"
)
FIND_ABSENT_SCHEDULES = text(
    "SELECT id FROM scheduled_jobs WHERE deleted_at IS NULL"
    " AND (epoch, resource_version) < (:epoch, :number) AND NOT id = ANY(CAST(:listed AS uuid[]))"
    f" AND {_COVERED}"
)
DROP_MISPLACED = text(
    "DELETE FROM scheduled_job_executions USING"
    " json_to_recordset(CAST(:jobs AS json)) AS j (id uuid, namespace text)"
    " WHERE job_id = j.id AND scheduled_job_executions.namespace <> j.namespace"
)
COUNT_LIVE = {
    "TaskFunction": text(f"SELECT count(*) FROM task_functions WHERE deleted_at IS NULL AND {_COVERED}"),
    "ScheduledJob": text(f"SELECT count(*) FROM scheduled_jobs WHERE deleted_at IS NULL AND {_COVERED}"),
}

READ_EXECUTIONS = text(
    "SELECT id, sources, attempts, status, phase, reason, error_message, completed_at"
    " FROM scheduled_job_executions WHERE id = ANY(CAST(:ids AS uuid[]))"
)
READ_OPEN = text(
    "SELECT id, sources, attempts, status, phase, reason, error_message, completed_at"
    " FROM scheduled_job_executions"
    " WHERE job_id = ANY(CAST(:job_ids AS uuid[])) AND status IN ('pending', 'running')"
)
READ_ALL_OPEN = text(
    "SELECT id, sources, attempts FROM scheduled_job_executions WHERE status IN ('pending', 'running')"
)

FORGET_SLOTS = text(
    "DELETE FROM scheduler_slots USING"
    " json_to_recordset(CAST(:jobs AS json)) AS j (job_id uuid, horizon timestamptz)"
    " WHERE scheduler_slots.job_id = j.job_id AND first_slot >= j.horizon AND verdict <> 'NotMirrored'"
    " AND NOT EXISTS (SELECT FROM json_to_recordset(CAST(:rows AS json))"
    "  AS kept (job_id uuid, first_slot timestamptz)"
    "  WHERE kept.job_id = j.job_id AND kept.first_slot = scheduler_slots.first_slot)"
)
CAP_SLOTS = text(
    "DELETE FROM scheduler_slots USING unnest(CAST(:ids AS uuid[])) AS capped (id), LATERAL"
    " (SELECT first_slot FROM scheduler_slots WHERE job_id = capped.id"
    "  ORDER BY first_slot DESC OFFSET :most LIMIT 1) AS newest_beyond"
    " WHERE scheduler_slots.job_id = capped.id AND scheduler_slots.first_slot <= newest_beyond.first_slot"
)
_SINCE = "coalesce(j.covered_until, '-infinity')"
_FIRST = (
    "coalesce(least(j.covered_until, (SELECT min(waited) FROM unnest(j.covered_out_of_order) AS waited)),"
    " '-infinity') - interval '1 hour'"
)
"""Before it no run began whose slot was not decided then; clocks differ a little."""
_WAS_DECIDED = f"((e.scheduled_for <= {_SINCE}) <> (e.scheduled_for = ANY(j.covered_out_of_order)))"
_IS_DECIDED = (
    "((e.scheduled_for <= coalesce(j.cursor, '-infinity')) <> (e.scheduled_for = ANY(j.out_of_order)))"
)
_WAITED = (
    "(SELECT count(*) FROM unnest(j.covered_out_of_order) AS waited"
    " WHERE s.verdict <> 'NotMirrored' AND waited BETWEEN s.first_slot AND s.last_slot)"
)
_GROWN = "s.count - CASE WHEN s.first_slot = j.covered_tail_from THEN j.covered_tail_count ELSE 0 END"
_NEW_SLOTS = (
    f"CASE WHEN s.first_slot > {_SINCE} THEN s.count"
    f" WHEN s.last_slot > {_SINCE} AND s.verdict <> 'NotMirrored' THEN {_GROWN} ELSE {_WAITED} END"
)
FIND_CLOSABLE_GAPS = text(
    "SELECT id FROM scheduled_jobs WHERE deleted_at IS NULL AND has_gap AND id > CAST(:after AS uuid)"
    " AND (epoch, gap_version) <= (:epoch, :jobs) ORDER BY id LIMIT :most"
)
MEASURE_GAPS = text(
    "SELECT j.id, j.recent_slots, j.created_at, j.covered_until,"
    " started_slots + skipped_slots + missed_slots AS decided, covered_slots,"
    " (SELECT count(*) FROM scheduled_job_executions e WHERE e.job_id = j.id"
    f"  AND e.started_at > {_FIRST}"
    f"  AND e.triggered_by = 'scheduler' AND {_IS_DECIDED} AND NOT {_WAS_DECIDED}) AS runs,"
    f" (SELECT coalesce(sum({_NEW_SLOTS}), 0) FROM scheduler_slots s WHERE s.job_id = j.id) AS slots"
    " FROM scheduled_jobs j WHERE j.id = ANY(CAST(:ids AS uuid[]))"
)
CLOSE_GAPS = text(
    "UPDATE scheduled_jobs SET has_gap = false, gap_version = 0, covered_until = cursor,"
    " covered_slots = started_slots + skipped_slots + missed_slots, covered_out_of_order = out_of_order,"
    " covered_tail_from = tail.covered_tail_from, covered_tail_count = tail.covered_tail_count"
    " FROM json_to_recordset(CAST(:rows AS json))"
    " AS tail (id uuid, covered_tail_from timestamptz, covered_tail_count bigint)"
    " WHERE scheduled_jobs.id = tail.id"
)

SEAT_LEADER = text(
    "UPDATE scheduler_instances SET is_leader = (id = :holder),"
    " leader_since = CASE WHEN id = :holder THEN CAST(:since AS timestamptz) END"
    " WHERE is_leader OR id = :holder"
)
UNSEAT_LEADER = text("UPDATE scheduler_instances SET is_leader = false, leader_since = NULL WHERE is_leader")
BURY_INSTANCES = text(
    "UPDATE scheduler_instances SET deleted_at = :now, is_leader = false WHERE id = ANY(CAST(:ids AS uuid[]))"
)

READ_CHANGED = text(
    "SELECT wanted.id AS changed_id, states.state, newest.*,"
    " (SELECT count(*) FROM scheduled_job_changes WHERE job_id = wanted.id AND seen_at > :since) AS recent"
    " FROM unnest(CAST(:ids AS uuid[])) AS wanted (id)"
    " LEFT JOIN scheduler_job_states states ON states.job_id = wanted.id"
    " LEFT JOIN LATERAL (SELECT * FROM scheduled_job_changes WHERE job_id = wanted.id"
    "  ORDER BY seen_at DESC, id DESC LIMIT 1) newest ON true"
)
CAP_CHANGES = text(
    "DELETE FROM scheduled_job_changes USING (SELECT id, row_number() OVER"
    " (PARTITION BY job_id ORDER BY seen_at DESC, id DESC) AS place"
    " FROM scheduled_job_changes WHERE job_id = ANY(CAST(:ids AS uuid[]))) AS ranked"
    " WHERE ranked.place > :most AND ranked.id = scheduled_job_changes.id"
)
NAME_JOBS = text("SELECT id, namespace FROM scheduled_jobs WHERE id = ANY(CAST(:ids AS uuid[]))")
READ_ENTRIES_SINCE = text(
    "SELECT * FROM scheduled_job_changes WHERE job_id = :job_id AND epoch = :epoch AND version >= :version"
    " AND kind <> 'deleted' ORDER BY version DESC"
)
READ_ENTRY_BEFORE = text(
    "SELECT changes.*,"
    " (SELECT count(*) FROM scheduled_job_changes WHERE job_id = :job_id AND seen_at > :since) AS recent"
    " FROM scheduled_job_changes changes WHERE job_id = :job_id AND epoch = :epoch AND version < :version"
    " ORDER BY version DESC LIMIT 1"
)
READ_STATE = text("SELECT state FROM scheduler_job_states WHERE job_id = :job_id")
DELETE_ENTRY = text("DELETE FROM scheduled_job_changes WHERE id = :id")
SIGN_DELETION = text(
    "UPDATE scheduled_job_changes SET user_id = :user_id, user_name = :user_name,"
    " client_address = :address WHERE job_id = :job_id AND kind = 'deleted' AND user_id IS NULL"
)

NEXT_JOBS = text("SELECT id FROM scheduled_jobs WHERE id > :after ORDER BY id LIMIT :limit")
FIND_MISCOUNTED = text(
    "SELECT DISTINCT job_id FROM (SELECT job_id, status, namespace, count(*) AS count"
    "  FROM scheduled_job_executions"
    "  WHERE job_id = ANY(CAST(:ids AS uuid[])) GROUP BY job_id, status, namespace) AS counted"
    " FULL JOIN (SELECT * FROM scheduler_execution_counts"
    "  WHERE job_id = ANY(CAST(:ids AS uuid[])) AND count <> 0) AS kept USING (job_id, status, namespace)"
    " WHERE counted.count IS DISTINCT FROM kept.count"
)
FORGET_COUNTS = text("DELETE FROM scheduler_execution_counts WHERE job_id = ANY(CAST(:ids AS uuid[]))")
COUNT_AGAIN = text(
    "INSERT INTO scheduler_execution_counts (job_id, status, namespace, count)"
    " SELECT job_id, status, namespace, count(*) FROM scheduled_job_executions"
    " WHERE job_id = ANY(CAST(:ids AS uuid[])) GROUP BY job_id, status, namespace"
)

KEEP_QUARANTINED = text(
    "INSERT INTO scheduler_quarantine AS known (kind, key, namespace, resource_name, resource_version, epoch,"
    " document, error, first_seen, last_seen) SELECT kind, key, namespace, resource_name, resource_version,"
    " epoch, document, error, :now, :now"
    " FROM json_populate_recordset(CAST(NULL AS scheduler_quarantine), CAST(:rows AS json))"
    " ON CONFLICT (kind, key) DO UPDATE SET resource_version = EXCLUDED.resource_version,"
    " epoch = EXCLUDED.epoch, document = EXCLUDED.document, error = EXCLUDED.error,"
    " seen_count = known.seen_count + 1, last_seen = EXCLUDED.last_seen"
)
CAP_QUARANTINED = text(
    "DELETE FROM scheduler_quarantine USING (SELECT kind, key, row_number() OVER"
    " (PARTITION BY namespace ORDER BY last_seen DESC, kind, key) AS place"
    " FROM scheduler_quarantine WHERE namespace = ANY(CAST(:namespaces AS text[]))) AS ranked"
    " WHERE place > :most"
    " AND ranked.kind = scheduler_quarantine.kind AND ranked.key = scheduler_quarantine.key"
)
RELEASE_QUARANTINED = text(
    "DELETE FROM scheduler_quarantine USING"
    " json_to_recordset(CAST(:keys AS json)) AS readable (kind text, key text)"
    " WHERE scheduler_quarantine.kind = readable.kind AND scheduler_quarantine.key = readable.key"
)

WANT_TAILS = text(
    "INSERT INTO scheduled_job_log_tails"
    " (execution_id, attempt, pod_uid, job_id, namespace, ended_at, purpose, wanted_at, due_at)"
    " SELECT execution_id, attempt, pod_uid, job_id, namespace, ended_at, purpose, :now, :now"
    " FROM json_populate_recordset(CAST(NULL AS scheduled_job_log_tails), CAST(:rows AS json))"
    " ON CONFLICT DO NOTHING RETURNING job_id"
)
CAP_TAILS = text(
    "DELETE FROM scheduled_job_log_tails t USING ("
    "  SELECT old.execution_id, old.attempt, old.pod_uid FROM scheduled_job_log_tails old JOIN ("
    "   SELECT execution_id, attempt, pod_uid, row_number() OVER"
    "    (PARTITION BY job_id, purpose ORDER BY ended_at DESC, execution_id, attempt, pod_uid) AS place"
    "   FROM scheduled_job_log_tails WHERE job_id = ANY(CAST(:ids AS uuid[]))) ranked"
    "  USING (execution_id, attempt, pod_uid) WHERE place > :most FOR UPDATE OF old SKIP LOCKED) AS surplus"
    " WHERE (t.execution_id, t.attempt, t.pod_uid)"
    "  = (surplus.execution_id, surplus.attempt, surplus.pod_uid)"
)
DROP_MISPLACED_TAILS = text(
    "DELETE FROM scheduled_job_log_tails USING"
    " json_to_recordset(CAST(:jobs AS json)) AS j (id uuid, namespace text)"
    " WHERE job_id = j.id AND scheduled_job_log_tails.namespace <> j.namespace"
)
TAKE_DUE_TAILS = text(
    "WITH chosen AS ("
    "  SELECT t.execution_id, t.attempt, t.pod_uid FROM scheduled_job_log_tails t JOIN ("
    "   SELECT execution_id, attempt, pod_uid, row_number() OVER"
    "    (PARTITION BY namespace ORDER BY due_at, execution_id, attempt) AS place"
    "   FROM (SELECT execution_id, attempt, pod_uid, namespace, due_at FROM scheduled_job_log_tails"
    "    WHERE due_at <= :now AND namespace <> ALL(CAST(:busy AS text[]))"
    "     AND purpose = ANY(CAST(:purposes AS text[]))"
    "    ORDER BY due_at LIMIT :among) oldest) due"
    "  USING (execution_id, attempt, pod_uid) WHERE place <= :share AND t.due_at <= :now"
    "  ORDER BY t.due_at LIMIT :most FOR UPDATE OF t SKIP LOCKED)"
    " UPDATE scheduled_job_log_tails t SET due_at = :now + make_interval(secs => :seconds * power(2, tries))"
    " FROM chosen WHERE (t.execution_id, t.attempt, t.pod_uid)"
    "  = (chosen.execution_id, chosen.attempt, chosen.pod_uid)"
    " RETURNING t.execution_id, t.attempt, t.pod_uid, t.namespace, t.wanted_at, t.purpose"
)
READ_ATTEMPTS = text(
    "SELECT id, namespace, attempts FROM scheduled_job_executions WHERE id = ANY(CAST(:ids AS uuid[]))"
)
_TAIL = "execution_id = :execution_id AND attempt = :attempt AND pod_uid = :pod_uid AND due_at IS NOT NULL"
KEEP_TAIL = text(
    "UPDATE scheduled_job_log_tails SET due_at = NULL, read_at = :now, container = :container,"
    f" log_text = :text, is_cut = :is_cut WHERE {_TAIL}"
)
KEEP_RESULT = text(
    "UPDATE scheduled_job_log_tails SET due_at = NULL, read_at = :now, container = :container,"
    f" result = CAST(:result AS json)->0, is_cut = :is_cut WHERE {_TAIL}"
)
GIVE_UP_TAIL = text(f"UPDATE scheduled_job_log_tails SET due_at = NULL WHERE {_TAIL}")
NOTE_TAIL_FAILURE = text(
    "UPDATE scheduled_job_log_tails SET tries = tries + 1,"
    f" due_at = CASE WHEN tries + 1 < :most THEN due_at END WHERE {_TAIL} RETURNING due_at"
)
