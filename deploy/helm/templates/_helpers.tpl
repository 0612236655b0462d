{{- define "musicez.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (default .Chart.Name .Values.nameOverride) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Selects the pods of this release only: no other release in the namespace has its name. */}}
{{- define "musicez.selector" -}}
app.kubernetes.io/name: {{ include "musicez.name" . }}
{{- end }}

{{- define "musicez.labels" -}}
{{ include "musicez.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Seconds from SIGTERM until load balancers have noticed, rounded up. */}}
{{- define "musicez.delay" -}}
{{- div (add (int .Values.variables.SHUTDOWN_DELAY_MS) 999) 1000 -}}
{{- end }}
