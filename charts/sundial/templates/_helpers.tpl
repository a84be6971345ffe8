{{- /* How objects in the release's namespace are called. */}}
{{- define "sundial.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- end }}

{{- /* The label value that keeps installations apart, by the rule of the program (names.build_installation). */}}
{{- define "sundial.installation" -}}
{{- $name := printf "%s.%s" .Release.Namespace .Release.Name }}
{{- if le (len $name) 63 }}{{ $name }}{{ else }}{{ printf "%s-%s" (trunc 52 $name) (sha256sum $name | trunc 10) }}{{ end }}
{{- end }}

{{- define "sundial.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sundial.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "sundial.image" -}}
{{- with .Values.image }}{{ if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}{{ end }}
{{- end }}

{{- define "sundial.account" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.name }}{{ $account.name }}{{ else if $account.create }}{{ include "sundial.fullname" .root }}-{{ .component }}{{ else }}default{{ end }}
{{- end }}

{{- /* The user name of an account at the API server. */}}
{{- define "sundial.user" -}}
system:serviceaccount:{{ .root.Release.Namespace }}:{{ include "sundial.account" . }}
{{- end }}

{{- define "sundial.serviceAccount" }}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "sundial.account" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "sundial.labels" .root | nindent 4 }}
  {{- with $account.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end }}

{{- define "sundial.podDisruptionBudget" }}
{{- $values := index .root.Values .component }}
{{- if and $values.podDisruptionBudget.enabled (gt (int $values.replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "sundial.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "sundial.labels" .root | nindent 4 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "sundial.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{- /* What the Pods of a component have beside their containers. */}}
{{- define "sundial.pod" -}}
{{- $values := index .root.Values .component }}
serviceAccountName: {{ include "sundial.account" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if kindIs "invalid" $values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "sundial.selector" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- else }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the main container alone gets: the token of the account, for as long as is set. */}}
{{- define "sundial.tokenVolume" -}}
- name: kube-api-access
  projected:
    defaultMode: 292
    sources:
    - serviceAccountToken: {path: token, expirationSeconds: {{ . }}}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]}
{{- end }}

{{- define "sundial.tokenMount" -}}
- {name: kube-api-access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{- /* A variable; an empty text has no value, which is how it is stored. */}}
{{- define "sundial.variable" -}}
{{- if eq (toString .value) "" }}- {name: {{ .name }}}{{ else }}- {name: {{ .name }}, value: {{ .value | toString | quote }}}{{ end }}
{{- end }}

{{/* Variables of the user's; an empty value is left out, as it is stored without: a comparison would find it again and again. */}}
{{- define "sundial.extraEnv" -}}
{{- range . }}
- {{ (and (hasKey . "value") (eq (toString .value) "") | ternary (omit . "value") .) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "sundial.databaseSecret" -}}
{{- if .Values.postgres.enabled }}{{ include "sundial.fullname" . }}-postgres
{{- else if .Values.database.cloudNativePG.cluster }}{{ .Values.database.cloudNativePG.cluster }}-app
{{- else }}{{ required "the API needs a database: set database.existingSecret.name to a Secret with a postgresql:// URL, database.cloudNativePG.cluster, or postgres.enabled=true for a trial" .Values.database.existingSecret.name }}
{{- end }}
{{- end }}

{{- define "sundial.databaseAuthority" -}}
{{- if .Values.database.tls.caSecret }}{{ .Values.database.tls.caSecret }}{{ else if and .Values.database.cloudNativePG.cluster (not .Values.postgres.enabled) }}{{ .Values.database.cloudNativePG.cluster }}-ca{{ end }}
{{- end }}

{{- /* Where the database is. libpq fills in from PG* what a URL does not say: nothing has to be escaped. */}}
{{- define "sundial.databaseEnv" -}}
{{- $secret := include "sundial.databaseSecret" . }}
{{- $keys := .Values.database.keys }}
{{- if and $keys.host (not .Values.postgres.enabled) (not .Values.database.cloudNativePG.cluster) }}
- {name: SUNDIAL_API_DATABASE_URL, value: "postgresql://"}
{{- range $name, $variable := dict "host" "PGHOST" "port" "PGPORT" "user" "PGUSER" "password" "PGPASSWORD" "database" "PGDATABASE" }}
{{- with index $keys $name }}
- {name: {{ $variable }}, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ . }}}}}
{{- end }}
{{- end }}
{{- else }}
- {name: SUNDIAL_API_DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ if or .Values.postgres.enabled .Values.database.cloudNativePG.cluster }}uri{{ else }}{{ .Values.database.existingSecret.key }}{{ end }}}}}
{{- end }}
{{- with .Values.database.tls.mode }}
- {name: PGSSLMODE, value: {{ . | quote }}}
{{- end }}
{{- if include "sundial.databaseAuthority" . }}
- {name: PGSSLROOTCERT, value: /etc/sundial/database/ca.crt}
{{- end }}
{{- end }}

{{- define "sundial.databaseMount" -}}
{{- if include "sundial.databaseAuthority" . -}}
- {name: database-authority, mountPath: /etc/sundial/database, readOnly: true}
{{- end }}
{{- end }}

{{- define "sundial.databaseVolume" -}}
{{- if include "sundial.databaseAuthority" . -}}
- name: database-authority
  secret: {secretName: {{ include "sundial.databaseAuthority" . }}, defaultMode: 292, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end }}

{{- define "sundial.migrate" -}}
- name: migrate
  image: {{ include "sundial.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [sundial-database, upgrade]
  env: {{- include "sundial.databaseEnv" . | nindent 2 }}
  resources: {{- toYaml .Values.api.resources | nindent 4 }}
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with include "sundial.databaseMount" . }}
  volumeMounts: {{- . | nindent 2 }}
  {{- end }}
{{- end }}
