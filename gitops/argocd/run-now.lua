-- Asks for one run beside the schedule; it is a resource of its own, and starts once.
local os = require("os")
local run = {
  apiVersion = "sundial.dev/v1alpha1",
  kind = "ScheduledJobRun",
  metadata = {
    namespace = obj.metadata.namespace,
    name = string.sub(obj.metadata.name, 1, 200) .. "-" .. os.date("!%Y%m%d%H%M%S"),
  },
  spec = {
    scheduledJobName = obj.metadata.name,
    source = "manual",
    requestedBy = "Argo CD",
    ttlSecondsAfterFinished = 86400,
  },
}
return {{operation = "create", resource = run}}
