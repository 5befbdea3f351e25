{{/* Names and labels. */}}

{{- define "gc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters leave room for what pods, jobs and KEDA add to a name. */}}
{{- define "gc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "gc.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gc.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gc.selector" -}}
app.kubernetes.io/name: {{ include "gc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What the pods of the service have, and those of a check or a replay have not. */}}
{{- define "gc.podSelector" -}}
{{ include "gc.selector" . }}
app.kubernetes.io/component: consumer
{{- end -}}

{{- define "gc.labels" -}}
{{- $fixed := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/name" (include "gc.name" .)
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" (.Values.image.tag | default .Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/managed-by" .Release.Service -}}
{{- merge (dict) $fixed .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* Metadata of an object: (list root suffix labels annotations namespace). */}}
{{- define "gc.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "gc.fullname" $root }}{{ index . 1 }}
namespace: {{ index . 4 | default $root.Release.Namespace }}
labels:
  {{- merge (dict) (include "gc.labels" $root | fromYaml) (index . 2) | toYaml | nindent 2 }}
{{- with merge (dict) (index . 3) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gc.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "gc.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "gc.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gc.workloadKind" -}}
{{- ternary "StatefulSet" "Deployment" .Values.staticMembership.enabled -}}
{{- end -}}

{{/* Whole seconds of a time such as 500ms, 2s, 1m; rounded up. */}}
{{- define "gc.seconds" -}}
{{- $number := regexFind "^[0-9.]+" . | float64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $factor := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) $unit | float64 -}}
{{- mulf $number $factor | ceil | int64 -}}
{{- end -}}

{{- define "gc.graceSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "gc.seconds" .Values.drainTimeout | int64) 15 -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- end -}}
{{- end -}}

{{- define "gc.deadLetterTopic" -}}
{{- .Values.kafka.deadLetterTopic | default (printf "%s.dead-letters" .Values.kafka.groupId) -}}
{{- end -}}
