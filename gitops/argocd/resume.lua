-- Lets new runs start again; what passed meanwhile does not.
if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["sundial.dev/paused"] = nil
end
return obj
