{{- define "sundial.operatorRules" -}}
- {apiGroups: [sundial.dev], resources: [scheduledjobs, taskfunctions], verbs: [get, list, watch]}
- {apiGroups: [sundial.dev], resources: [scheduledjobruns], verbs: [get, list, watch, delete]}
- {apiGroups: [sundial.dev], resources: [scheduledjobs/status, scheduledjobruns/status, taskfunctions/status], verbs: [patch]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [""], resources: [pods], verbs: [list, watch]}
- {apiGroups: [""], resources: [events], verbs: [list]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
{{- if .Values.runner.configMaps }}
- {apiGroups: [""], resources: [configmaps], verbs: [create]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [{{ ternary "roles" "clusterroles" (gt (len .Values.scope.namespaces) 0) }}], resourceNames: [{{ include "sundial.roleName" (dict "root" . "component" "operator") }}], verbs: [get]}
{{- end }}
{{- end }}

{{- define "sundial.apiRules" -}}
- {apiGroups: [sundial.dev], resources: [scheduledjobs], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [sundial.dev], resources: [scheduledjobruns], verbs: [get, list, watch, create, delete]}
- {apiGroups: [sundial.dev], resources: [taskfunctions], verbs: [get, list, watch]}
- {apiGroups: [batch], resources: [jobs], verbs: [list, watch, patch]}
- {apiGroups: [""], resources: [pods], verbs: [list, watch]}
{{- if .Values.api.logs.enabled }}
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get]}
{{- end }}
{{- end }}

{{- define "sundial.roleName" -}}
sundial-{{ .component }}.{{ include "sundial.installation" .root }}
{{- end }}

{{- /* A role and its binding: kind (Role or ClusterRole), name, ns, rules. */}}
{{- define "sundial.grant" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .ns }}
  namespace: {{ . | quote }}
  {{- end }}
  labels: {{- include "sundial.labels" .root | nindent 4 }}
rules: {{- toYaml .rules | nindent 0 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .ns }}
  namespace: {{ . | quote }}
  {{- end }}
  labels: {{- include "sundial.labels" .root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects: [{kind: ServiceAccount, name: {{ include "sundial.account" . }}, namespace: {{ .root.Release.Namespace | quote }}}]
{{- end }}

{{- /* Rules in all namespaces, or in each of the scope. */}}
{{- define "sundial.grants" }}
{{- $arg := . }}
{{- $name := include "sundial.roleName" . }}
{{- range $ns := .root.Values.scope.namespaces }}
{{- include "sundial.grant" (merge (dict "kind" "Role" "name" $name "ns" $ns) $arg) }}
{{- else }}
{{- include "sundial.grant" (merge (dict "kind" "ClusterRole" "name" $name "ns" "") $arg) }}
{{- end }}
{{- end }}
