-- Lets new runs start again; what passed meanwhile does not.
if obj.metadata.annotations ~= nil then
  for _, what in ipairs({"paused", "paused-by", "paused-reason"}) do
    obj.metadata.annotations["sundial.dev/" .. what] = nil
  end
end
return obj
