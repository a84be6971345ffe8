-- What can be done to a ScheduledJob besides what Git says.
local annotations = obj.metadata.annotations or {}
local is_paused = annotations["sundial.dev/paused"] ~= nil
local status = obj.status or {}
return {
  ["run-now"] = {},
  ["retry-last"] = {disabled = status.lastScheduleTime == nil},
  ["pause"] = {disabled = is_paused},
  ["resume"] = {disabled = not is_paused},
}
