{{- define "candor.name" -}}
{{- if contains "candor" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-candor" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "candor.selector" -}}
app.kubernetes.io/name: candor
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "candor.labels" -}}
{{ include "candor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* shared: "yes" where ledger and blobs are outside the pods. */}}
{{- define "candor.shared" -}}
{{- $postgres := dig "ledger" "postgres" dict .Values.config -}}
{{- $s3 := dig "s3" dict .Values.config -}}
{{- if and $postgres $s3 }}yes{{ end }}
{{- end }}

{{/* check refuses values that cannot work. */}}
{{- define "candor.check" -}}
{{- $shared := eq (include "candor.shared" .) "yes" -}}
{{- if and (gt (int .Values.replicas) 1) (not $shared) }}
{{- fail "replicas: more than one needs config.ledger.postgres and config.s3; SQLite and files are one server's" }}
{{- end }}
{{- if and $shared (not .Values.keysSecret) }}
{{- fail "keysSecret: with PostgreSQL and S3 all replicas sign with the same online keys; name the Secret that holds them" }}
{{- end }}
{{- range $field := list "listen" "admin" "metrics" "tls" }}
{{- if hasKey $.Values.config $field }}{{ fail (printf "config.%s: is the chart's" $field) }}{{ end }}
{{- end }}
{{- end }}
