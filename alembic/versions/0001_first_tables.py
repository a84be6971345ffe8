"""The first tables, the counting of executions, and the rows that are always there."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TASK_FUNCTIONS = """
CREATE TABLE task_functions (
    id integer NOT NULL,
    namespace varchar(63) NOT NULL,
    resource_name varchar(253) NOT NULL,
    uid uuid,
    name varchar(253) NOT NULL,
    display_name varchar(253) NOT NULL,
    description varchar(1000),
    handler_path varchar(512) NOT NULL,
    handler_type varchar(20) NOT NULL,
    queue varchar(255),
    default_timeout_seconds integer NOT NULL DEFAULT 300,
    parameters_schema json,
    is_active boolean NOT NULL DEFAULT true,
    is_system boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    generation bigint NOT NULL DEFAULT 0,
    resource_version bigint NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    CONSTRAINT pk_task_functions PRIMARY KEY (id),
    CONSTRAINT ck_task_functions_handler_type
        CHECK (handler_type IN ('celery_task', 'async_function', 'container'))
);
CREATE INDEX ix_task_functions_is_active ON task_functions (is_active);
CREATE INDEX ix_task_functions_name ON task_functions (name);
CREATE UNIQUE INDEX uq_task_functions_live
    ON task_functions (namespace, resource_name) WHERE deleted_at IS NULL;
"""

SCHEDULER_JOB_TYPES = """
CREATE TABLE scheduler_job_types (
    id integer NOT NULL,
    name varchar(50) NOT NULL,
    display_name varchar(100) NOT NULL,
    description varchar(500),
    is_active boolean NOT NULL DEFAULT true,
    CONSTRAINT pk_scheduler_job_types PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_scheduler_job_types_name ON scheduler_job_types (name);
"""

SCHEDULED_JOBS = """
CREATE TABLE scheduled_jobs (
    id uuid NOT NULL,
    namespace varchar(63) NOT NULL,
    resource_name varchar(253) NOT NULL,
    name varchar(253) NOT NULL,
    description varchar(1000),
    task_function_id integer NOT NULL,
    job_type_id integer NOT NULL,
    schedule_config json NOT NULL,
    time_zone varchar(64) NOT NULL DEFAULT 'UTC',
    schedule_text text,
    task_args json,
    concurrency_policy varchar(20) NOT NULL DEFAULT 'Forbid',
    max_instances integer NOT NULL DEFAULT 1,
    max_queued integer NOT NULL DEFAULT 1,
    timeout_seconds integer NOT NULL DEFAULT 300,
    retry_count integer NOT NULL DEFAULT 3,
    retry_delay_seconds integer NOT NULL DEFAULT 60,
    suspended boolean NOT NULL DEFAULT false,
    paused_until timestamptz,
    is_enabled boolean GENERATED ALWAYS AS (NOT suspended AND paused_until IS NULL) STORED NOT NULL,
    is_paused boolean GENERATED ALWAYS AS (paused_until IS NOT NULL) STORED NOT NULL,
    is_ready boolean,
    ready_reason varchar(253),
    ready_message text,
    next_run_time timestamptz,
    last_run_time timestamptz,
    last_status varchar(20),
    consecutive_failures bigint NOT NULL DEFAULT 0,
    active_count bigint NOT NULL DEFAULT 0,
    queued_count bigint NOT NULL DEFAULT 0,
    started_slots bigint NOT NULL DEFAULT 0,
    skipped_slots bigint NOT NULL DEFAULT 0,
    missed_slots bigint NOT NULL DEFAULT 0,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    etag varchar(64) NOT NULL DEFAULT '',
    generation bigint NOT NULL DEFAULT 0,
    resource_version bigint NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    history_floor timestamptz,
    own_timeout_seconds integer,
    cursor timestamptz,
    active_runs jsonb NOT NULL DEFAULT '[]',
    recent_slots jsonb NOT NULL DEFAULT '[]',
    covered_until timestamptz,
    covered_slots bigint NOT NULL DEFAULT 0,
    has_gap boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_scheduled_jobs PRIMARY KEY (id),
    CONSTRAINT ck_scheduled_jobs_last_status CHECK (last_status IN ('success', 'failed', 'running'))
);
CREATE INDEX ix_scheduled_jobs_has_gap ON scheduled_jobs (id) WHERE has_gap;
CREATE INDEX ix_scheduled_jobs_is_enabled ON scheduled_jobs (is_enabled);
CREATE INDEX ix_scheduled_jobs_live_newest
    ON scheduled_jobs (created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX ix_scheduled_jobs_next_run_time ON scheduled_jobs (next_run_time);
CREATE INDEX ix_scheduled_jobs_task_function_id ON scheduled_jobs (task_function_id);
CREATE UNIQUE INDEX uq_scheduled_jobs_live
    ON scheduled_jobs (namespace, resource_name) WHERE deleted_at IS NULL;
"""

SCHEDULED_JOB_EXECUTIONS = """
CREATE TABLE scheduled_job_executions (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    namespace varchar(63) NOT NULL,
    celery_task_id varchar(100),
    status varchar(20) NOT NULL,
    phase varchar(20) NOT NULL,
    reason varchar(253),
    scheduled_for timestamptz,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    duration_seconds double precision
        GENERATED ALWAYS AS ((EXTRACT(epoch FROM (completed_at - started_at)))::double precision) STORED,
    result json,
    error_message varchar(2000),
    error_traceback text,
    triggered_by varchar(50) NOT NULL,
    triggered_by_user_id uuid,
    requested_by varchar(253),
    request_reason varchar(1000),
    run_name varchar(253),
    scheduler_instance_id uuid,
    attempt integer NOT NULL DEFAULT 0,
    attempts jsonb NOT NULL DEFAULT '[]',
    job_name varchar(63),
    pod_name varchar(253),
    node varchar(253),
    exit_code integer,
    schedule_resource_version bigint NOT NULL DEFAULT 0,
    run_resource_version bigint NOT NULL DEFAULT 0,
    job_resource_version bigint NOT NULL DEFAULT 0,
    pod_resource_version bigint NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 1,
    sources jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT pk_scheduled_job_executions PRIMARY KEY (id),
    CONSTRAINT ck_scheduled_job_executions_status
        CHECK (status IN ('pending', 'running', 'success', 'failed', 'timeout')),
    CONSTRAINT ck_scheduled_job_executions_open_is_not_completed
        CHECK (status NOT IN ('pending', 'running') OR completed_at IS NULL),
    CONSTRAINT ck_scheduled_job_executions_triggered_by CHECK (triggered_by IN ('scheduler', 'manual', 'api'))
);
CREATE INDEX ix_scheduled_job_executions_job_id
    ON scheduled_job_executions (job_id, started_at DESC, id DESC);
CREATE INDEX ix_scheduled_job_executions_job_id_status
    ON scheduled_job_executions (job_id, status, started_at DESC, id DESC);
CREATE INDEX ix_scheduled_job_executions_started_at ON scheduled_job_executions (started_at DESC, id DESC);
CREATE INDEX ix_scheduled_job_executions_status
    ON scheduled_job_executions (status, started_at DESC, id DESC);
"""

SCHEDULER_SLOTS = """
CREATE TABLE scheduler_slots (
    job_id uuid NOT NULL,
    first_slot timestamptz NOT NULL,
    last_slot timestamptz NOT NULL,
    count bigint NOT NULL DEFAULT 1,
    verdict varchar(20) NOT NULL,
    reason varchar(253) NOT NULL,
    message text,
    resource_version bigint NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 1,
    CONSTRAINT pk_scheduler_slots PRIMARY KEY (job_id, first_slot),
    CONSTRAINT ck_scheduler_slots_order CHECK (first_slot <= last_slot),
    CONSTRAINT ck_scheduler_slots_count CHECK (count > 0)
);
CREATE INDEX ix_scheduler_slots_last_slot ON scheduler_slots (last_slot);
"""

SCHEDULER_INSTANCES = """
CREATE TABLE scheduler_instances (
    id uuid NOT NULL,
    hostname varchar(255) NOT NULL,
    pid integer NOT NULL,
    is_leader boolean NOT NULL DEFAULT false,
    leader_since timestamptz,
    last_heartbeat timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    version varchar(50) NOT NULL,
    resource_version bigint NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    CONSTRAINT pk_scheduler_instances PRIMARY KEY (id)
);
CREATE INDEX ix_scheduler_instances_is_leader ON scheduler_instances (is_leader);
CREATE INDEX ix_scheduler_instances_last_heartbeat ON scheduler_instances (last_heartbeat);
"""

SCHEDULER_TASK_FUNCTION_IDS = """
CREATE TABLE scheduler_task_function_ids (
    id integer NOT NULL,
    namespace varchar(63) NOT NULL,
    resource_name varchar(253) NOT NULL,
    CONSTRAINT pk_scheduler_task_function_ids PRIMARY KEY (id),
    CONSTRAINT ck_scheduler_task_function_ids_positive CHECK (id > 0)
);
CREATE UNIQUE INDEX uq_scheduler_task_function_ids_name
    ON scheduler_task_function_ids (namespace, resource_name);
"""

SCHEDULER_EXECUTION_COUNTS = """
CREATE TABLE scheduler_execution_counts (
    job_id uuid NOT NULL,
    status varchar(20) NOT NULL,
    count bigint NOT NULL,
    CONSTRAINT pk_scheduler_execution_counts PRIMARY KEY (job_id, status)
);
CREATE INDEX ix_scheduler_execution_counts_status ON scheduler_execution_counts (status) WHERE count > 0;
"""

SCHEDULER_QUARANTINE = """
CREATE TABLE scheduler_quarantine (
    kind varchar(63) NOT NULL,
    key varchar(320) NOT NULL,
    namespace varchar(63),
    resource_name varchar(253),
    resource_version bigint NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 1,
    document json NOT NULL,
    error text NOT NULL,
    seen_count bigint NOT NULL DEFAULT 1,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    CONSTRAINT pk_scheduler_quarantine PRIMARY KEY (kind, key)
);
CREATE INDEX ix_scheduler_quarantine_last_seen ON scheduler_quarantine (last_seen);
"""

SCHEDULER_MIRROR_STATE = """
CREATE TABLE scheduler_mirror_state (
    id integer NOT NULL DEFAULT 1,
    epoch integer NOT NULL DEFAULT 1,
    highest_resource_version bigint NOT NULL DEFAULT 0,
    watermarks jsonb NOT NULL DEFAULT '{}',
    last_synced_at timestamptz,
    instance_id uuid,
    CONSTRAINT pk_scheduler_mirror_state PRIMARY KEY (id),
    CONSTRAINT ck_scheduler_mirror_state_single CHECK (id = 1)
);
"""

COUNTING = """
CREATE FUNCTION scheduler_count_executions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO scheduler_execution_counts AS total (job_id, status, count)
        SELECT job_id, status, count(*) FROM fresh GROUP BY job_id, status ORDER BY job_id, status
        ON CONFLICT (job_id, status) DO UPDATE SET count = total.count + excluded.count;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO scheduler_execution_counts AS total (job_id, status, count)
        SELECT job_id, status, -count(*) FROM stale GROUP BY job_id, status ORDER BY job_id, status
        ON CONFLICT (job_id, status) DO UPDATE SET count = total.count + excluded.count;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO scheduler_execution_counts AS total (job_id, status, count)
        SELECT job_id, status, sum(change)
        FROM (
            SELECT job_id, status, 1 AS change FROM fresh
            UNION ALL SELECT job_id, status, -1 FROM stale
        ) AS changes
        GROUP BY job_id, status HAVING sum(change) <> 0 ORDER BY job_id, status
        ON CONFLICT (job_id, status) DO UPDATE SET count = total.count + excluded.count;
    ELSE
        DELETE FROM scheduler_execution_counts;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER scheduler_count_inserted AFTER INSERT ON scheduled_job_executions
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION scheduler_count_executions();
CREATE TRIGGER scheduler_count_updated AFTER UPDATE ON scheduled_job_executions
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_count_executions();
CREATE TRIGGER scheduler_count_deleted AFTER DELETE ON scheduled_job_executions
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION scheduler_count_executions();
CREATE TRIGGER scheduler_count_truncated AFTER TRUNCATE ON scheduled_job_executions
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_count_executions();
"""

SEEDS = """
INSERT INTO scheduler_job_types (id, name, display_name, description) VALUES
    (1, 'interval', 'Interval', 'Run at fixed time intervals'),
    (2, 'cron', 'Cron', 'Run on cron schedule'),
    (3, 'once', 'Once', 'Run once, at an instant');
INSERT INTO scheduler_task_function_ids (id, namespace, resource_name) VALUES (1, '', 'inline');
INSERT INTO task_functions (
    id, namespace, resource_name, name, display_name, description, handler_path, handler_type, is_active,
    created_at, updated_at
) VALUES (
    1, '', 'inline', 'inline', 'Inline template', 'Jobs with their own template', '', 'container', false,
    '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'
);
INSERT INTO scheduler_mirror_state (id) VALUES (1);
"""

TABLES = (
    "task_functions",
    "scheduler_job_types",
    "scheduled_jobs",
    "scheduled_job_executions",
    "scheduler_slots",
    "scheduler_instances",
    "scheduler_task_function_ids",
    "scheduler_execution_counts",
    "scheduler_quarantine",
    "scheduler_mirror_state",
)


def upgrade() -> None:
    """Make the tables, empty but for the seeds."""
    op.execute(TASK_FUNCTIONS + SCHEDULER_JOB_TYPES + SCHEDULED_JOBS)
    op.execute(SCHEDULED_JOB_EXECUTIONS + SCHEDULER_SLOTS + SCHEDULER_INSTANCES)
    op.execute(SCHEDULER_TASK_FUNCTION_IDS + SCHEDULER_EXECUTION_COUNTS)
    op.execute(SCHEDULER_QUARANTINE + SCHEDULER_MIRROR_STATE)
    op.execute(COUNTING)
    op.execute(SEEDS)


def downgrade() -> None:
    """Remove all of it, history included."""
    op.execute(f"DROP TABLE {', '.join(TABLES)}")
    op.execute("DROP FUNCTION scheduler_count_executions()")
