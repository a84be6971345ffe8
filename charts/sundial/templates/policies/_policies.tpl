{{- /* Policies of a generated file, with the names of this installation; bindings hold in its scope where scoped. */}}
{{- define "sundial.policies" }}
{{- $root := .root }}
{{- $scope := $root.Values.scope.namespaces }}
{{- $text := $root.Files.Get .file
  | replace "@installation@" (include "sundial.installation" $root)
  | replace "@namespace@" $root.Release.Namespace
  | replace "@release@" $root.Release.Name
  | replace "@operator@" (include "sundial.user" (dict "root" $root "component" "operator"))
  | replace "@api@" (include "sundial.user" (dict "root" $root "component" "api"))
}}
{{- if $root.Values.policies.restorers }}
{{- $text = $text | replace "'@restorer@'" (printf "'%s'" (join "', '" $root.Values.policies.restorers)) }}
{{- else }}
{{- $text = $text | replace ", '@restorer@'" "" | replace "'@restorer@'" "" }}
{{- end }}
{{- if and .scoped $scope }}
{{- $text = $text | replace "the policy works in all namespaces" (printf "the policy works in %s" (join ", " $scope)) }}
{{- end }}
{{- range fromYamlArray $text }}
{{- $_ := set .metadata "labels" (include "sundial.labels" $root | fromYaml) }}
{{- if and $.scoped $scope (eq .kind "ValidatingAdmissionPolicyBinding") }}
{{- $_ := set .spec "matchResources" (include "sundial.bindingScope" $root | fromYaml) }}
{{- end }}
---
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Where a binding holds: the scope, so that installations do not judge each other. */}}
{{- define "sundial.bindingScope" -}}
matchPolicy: Equivalent
objectSelector: {}
namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: {{ toJson .Values.scope.namespaces }}}]}
{{- end }}
