-- Holds back new runs until somebody resumes it; Git does not know of this annotation, and leaves it.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sundial.dev/paused"] = "true"
return obj
