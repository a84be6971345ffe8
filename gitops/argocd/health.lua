-- The health of ScheduledJobs, TaskFunctions and ScheduledJobRuns. Degraded is only what Git has to mend: that the last
-- run failed is told, and is no fault of what is written.
local function find(conditions, kind)
  for _, condition in ipairs(conditions or {}) do
    if condition.type == kind then
      return condition
    end
  end
  return nil
end

local status = obj.status or {}
local ready = find(status.conditions, "Ready") or find(status.conditions, "Started")
local complete = find(status.conditions, "Complete")
if obj.kind == "ScheduledJobRun" then
  if complete ~= nil and complete.status == "True" then
    return {status = "Healthy", message = complete.message or complete.reason}
  end
  return {status = "Progressing", message = (ready and ready.message) or "waits for Sundial"}
end
local observed = tonumber(status.observedGeneration or 0)
if ready == nil or observed < tonumber(obj.metadata.generation or 0) then
  return {status = "Progressing", message = "waits for Sundial to look at it"}
end
if ready.status == "False" then
  return {status = "Degraded", message = (ready.reason or "not ready") .. ": " .. (ready.message or "")}
end
local suspended = find(status.conditions, "Suspended")
if suspended ~= nil and suspended.status == "True" then
  return {status = "Suspended", message = (suspended.reason or "suspended") .. ": " .. (suspended.message or "")}
end
local last = find(status.conditions, "LastRunSucceeded")
if last ~= nil and last.status == "False" then
  return {status = "Healthy", message = "the last run did not succeed: " .. (last.message or last.reason or "")}
end
return {status = "Healthy", message = ready.message or ready.reason}
