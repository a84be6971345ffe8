// The types of the frontend, word for word: what it takes the API's answers for.
export interface TaskFunction {
  id: number;
  name: string;
  displayName: string;
  description: string | null;
  handlerPath: string;
  handlerType: "celery_task" | "async_function";
  queue: string | null;
  defaultTimeoutSeconds: number;
  isActive: boolean;
  isSystem: boolean;
  createdAt: string;
}

export interface SchedulerJobType {
  id: number;
  name: string;
  displayName: string;
  description: string | null;
}

export interface ScheduledJob {
  id: string;
  name: string;
  description: string | null;
  taskFunctionId: number;
  jobTypeId: number;
  scheduleConfig: Record<string, number | string>;
  taskArgs: Record<string, unknown> | null;
  maxInstances: number;
  timeoutSeconds: number;
  retryCount: number;
  retryDelaySeconds: number;
  isEnabled: boolean;
  isPaused: boolean;
  nextRunTime: string | null;
  lastRunTime: string | null;
  lastStatus: "success" | "failed" | "running" | null;
  createdAt: string;
  updatedAt: string;
  createdBy: string | null;
  updatedBy: string | null;
}

export interface ScheduledJobDetail extends ScheduledJob {
  taskFunction: TaskFunction;
  jobType: SchedulerJobType;
  recentExecutions: ScheduledJobExecution[];
}

export interface ScheduledJobExecution {
  id: string;
  jobId: string;
  celeryTaskId: string | null;
  status: "pending" | "running" | "success" | "failed" | "timeout";
  startedAt: string;
  completedAt: string | null;
  durationSeconds: number | null;
  result: Record<string, unknown> | null;
  errorMessage: string | null;
  triggeredBy: "scheduler" | "manual" | "api";
  triggeredByUserId: string | null;
}

export interface SchedulerInstance {
  id: string;
  hostname: string;
  pid: number;
  isLeader: boolean;
  leaderSince: string | null;
  lastHeartbeat: string;
  startedAt: string;
  version: string;
}

export interface ScheduledJobListResponse {
  jobs: ScheduledJob[];
  total: number;
  enabledCount: number;
  disabledCount: number;
  runningCount: number;
}

export interface TaskFunctionListResponse {
  taskFunctions: TaskFunction[];
  total: number;
}

export interface ScheduledJobExecutionListResponse {
  executions: ScheduledJobExecution[];
  total: number;
}

export interface SchedulerStatusResponse {
  isRunning: boolean;
  leaderInstance: SchedulerInstance | null;
  totalJobs: number;
  enabledJobs: number;
  runningJobs: number;
  nextScheduledJob: ScheduledJob | null;
  instances: SchedulerInstance[];
}

export interface CreateScheduledJobRequest {
  name: string;
  description?: string;
  taskFunctionId: number;
  jobTypeId: number;
  scheduleConfig: Record<string, number | string>;
  taskArgs?: Record<string, unknown>;
  maxInstances?: number;
  timeoutSeconds?: number;
  retryCount?: number;
  retryDelaySeconds?: number;
  isEnabled?: boolean;
}

export interface UpdateScheduledJobRequest {
  name?: string;
  description?: string;
  taskFunctionId?: number;
  jobTypeId?: number;
  scheduleConfig?: Record<string, number | string>;
  taskArgs?: Record<string, unknown>;
  maxInstances?: number;
  timeoutSeconds?: number;
  retryCount?: number;
  retryDelaySeconds?: number;
  isEnabled?: boolean;
}
