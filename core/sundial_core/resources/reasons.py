"""The words that statuses use: condition types and reasons, each with what it says."""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Which aspect of an object a condition is about."""

    READY = "Ready"  # accepted and scheduled; never how the last run ended
    SUSPENDED = "Suspended"  # spec.suspend or a pause holds back new runs
    PROGRESSING = "Progressing"  # a run is active or waits for a retry
    LAST_RUN_SUCCEEDED = "LastRunSucceeded"  # how the newest ended run ended
    MISSED_RUNS = "MissedRuns"  # slots that counted did not start in time
    CLOCK_TRUSTED = "ClockTrusted"  # the operator's clock agrees with the API server's
    JOBS_RECOGNIZED = "JobsRecognized"  # False while a Job is not what it says, absent otherwise
    STARTED = "Started"  # a ScheduledJobRun has its first Job
    COMPLETE = "Complete"  # a ScheduledJobRun has ended, however it ended


class Reason(StrEnum):
    """Why a condition, a verdict or a result is what it is."""

    # Ready=True
    SCHEDULED = "Scheduled"  # the next slot is known
    ACCEPTED = "Accepted"  # jobs can run the TaskFunction
    COMPLETED = "Completed"  # the last slot has passed

    # Ready=False
    INVALID_SPEC = "InvalidSpec"  # the spec does not parse; the message names the field
    INVALID_SCHEDULE = "InvalidSchedule"  # the schedule does not parse; the message names the field
    TOO_FREQUENT = "TooFrequent"  # slots are closer than the installation allows
    NEVER_FIRES = "NeverFires"  # no slot in ten years after effectiveFrom, nor in ten from now
    IN_THE_PAST = "InThePast"  # the instant of `at` passed without counting
    TASK_FUNCTION_NOT_FOUND = "TaskFunctionNotFound"  # no TaskFunction of that name in the namespace
    TEMPLATE_MISSING = "TemplateMissing"  # a TaskFunction without a template, written by an older release
    TEMPLATE_INVALID = "TemplateInvalid"  # Sundial cannot run it; the message says what to write instead
    RUNNER_MISSING = "RunnerMissing"  # the ConfigMap with the runner cannot be created in the namespace
    ARGS_TOO_LARGE = "ArgsTooLarge"  # the args are over 64 KiB of JSON
    INVALID_ARGS = "InvalidArgs"  # the args do not fit the TaskFunction's parametersSchema
    INVALID_PARAMETERS_SCHEMA = "InvalidParametersSchema"  # parametersSchema cannot be used
    DUPLICATE_NAME = "DuplicateName"  # another TaskFunction in the namespace has this spec.name

    # Suspended
    SUSPENDED = "Suspended"  # by spec.suspend
    PAUSED = "Paused"  # by an annotation without an end
    PAUSED_UNTIL = "PausedUntil"  # by an annotation with an end
    PAUSE_UNREADABLE = "PauseUnreadable"  # by an annotation that is neither true nor an instant
    NOT_SUSPENDED = "NotSuspended"  # new runs start

    # Progressing, LastRunSucceeded, MissedRuns
    RUNS_ACTIVE = "RunsActive"  # runs are active
    IDLE = "Idle"  # none is
    NO_RUN_YET = "NoRunYet"  # no run has ended
    SLOTS_MISSED = "SlotsMissed"  # see the message for first, last and count
    NONE_MISSED = "NoneMissed"  # every slot that counted was started or skipped

    # ClockTrusted
    CLOCK_IN_STEP = "ClockInStep"  # within 5 s of the API server's Date
    CLOCK_SKEWED = "ClockSkewed"  # more than 5 s off
    CLOCK_UNTRUSTED = "ClockUntrusted"  # more than 60 s off: nothing starts
    CURSOR_AHEAD = "CursorAhead"  # a stored cursor or effectiveFrom was in the future and was reset

    # JobsRecognized
    MARKS_CHANGED = "MarksChanged"  # of a Job of ours; what was decided counts
    JOB_NOT_OURS = "JobNotOurs"  # a Job names the ScheduledJob as controller, and is no run's

    # Skipped
    ALREADY_ACTIVE = "AlreadyActive"  # maxInstances runs were active
    QUEUE_FULL = "QueueFull"  # maxQueued slots were waiting
    QUEUE_DROPPED = "QueueDropped"  # a change, suspension or the end of the window emptied the queue
    REJECTED = "Rejected"  # the API server refused the Job for what it is
    NAME_TAKEN = "NameTaken"  # a Job of that name exists and is not ours

    # Missed
    TOO_LATE = "TooLate"  # later than graceSeconds, and not caught up on
    CREATE_FAILED = "CreateFailed"  # the Job could not be created while it still counted
    HELD = "Held"  # starts are held for the whole installation
    STATUS_NOT_STORED = "StatusNotStored"  # the status could not be stored for too long

    # waiting
    QUEUED = "Queued"  # waits for a place
    REPLACING = "Replacing"  # waits until the run that it replaces is gone

    # results of runs and attempts
    SUCCEEDED = "Succeeded"  # its Job completed
    FAILED = "Failed"  # its last attempt failed
    TIMED_OUT = "TimedOut"  # its last attempt took longer than its timeout
    START_FAILED = "StartFailed"  # no container of its last attempt started
    NOT_RUNNABLE = "NotRunnable"  # path, arguments or the Celery application do not fit: not tried again
    START_TIMEOUT = "StartTimeout"  # its Pod had not started after startTimeoutSeconds
    OVERDUE = "Overdue"  # it went on long after its deadline
    REPLACED = "Replaced"  # a newer slot took its place
    CANCELLED = "Cancelled"  # a person ended it
    JOB_DELETED = "JobDeleted"  # somebody deleted the Job of its newest attempt
    RETRIES_STOPPED = "RetriesStopped"  # suspended or paused between two attempts
    POD_UNREACHABLE = "PodUnreachable"  # its Pod's node does not answer
    OUTCOME_UNKNOWN = "OutcomeUnknown"  # its Job went before the result was seen

    # of a ScheduledJobRun
    STARTED = "Started"  # its first Job was created
    INVALID_SLOT = "InvalidSlot"  # scheduledFor is no slot of the schedule that has passed
    NOT_FOUND = "NotFound"  # no such ScheduledJob within an hour
    PARENT_DELETED = "ParentDeleted"  # the ScheduledJob is gone or is another one
    RESTORED = "Restored"  # came from a backup


SKIPS = (
    Reason.ALREADY_ACTIVE,
    Reason.QUEUE_FULL,
    Reason.QUEUE_DROPPED,
    Reason.REPLACED,
    Reason.CANCELLED,
    Reason.REJECTED,
    Reason.NAME_TAKEN,
)
"""Why a slot is skipped."""

MISSES = (Reason.TOO_LATE, Reason.CREATE_FAILED, Reason.HELD, Reason.STATUS_NOT_STORED)
"""Why a slot is missed."""

EXPECTED_SKIPS = frozenset(
    {Reason.ALREADY_ACTIVE, Reason.QUEUE_FULL, Reason.QUEUE_DROPPED, Reason.REPLACED, Reason.CANCELLED}
)
"""Reasons by which a slot is skipped because its user wanted it so."""
