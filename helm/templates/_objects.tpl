{{/* What the chart's own Secret and ConfigMap hold; empty where there is none. */}}

{{- define "gc.ownSecret" -}}
{{- $found := dict -}}
{{- with .Values.mixpanel -}}
{{- if and .token (not .existingSecret) -}}{{- $_ := set $found "mixpanel-token" (b64enc .token) -}}{{- end -}}
{{- if .projects.file -}}{{- $_ := set $found "projects.toml" (b64enc .projects.file) -}}{{- end -}}
{{- end -}}
{{- with .Values.kafka.sasl -}}
{{- if and .password (not .existingSecret) -}}{{- $_ := set $found "kafka-sasl-password" (b64enc .password) -}}{{- end -}}
{{- end -}}
{{- with .Values.schemaRegistry -}}
{{- if and .token (not .existingSecret) -}}{{- $_ := set $found "schema-registry-token" (b64enc .token) -}}{{- end -}}
{{- if and .password (not .existingSecret) -}}{{- $_ := set $found "schema-registry-password" (b64enc .password) -}}{{- end -}}
{{- end -}}
{{- if $found -}}{{- toYaml $found -}}{{- end -}}
{{- end -}}

{{/*
The properties file of all pods. With static membership each pod of the service has one more of its own, which
gives the group the pod's name; a check and a replay read the common one, or they would fence that pod.
*/}}
{{- define "gc.commonProperties" -}}
{{- range $name, $value := .Values.kafka.properties }}
{{ $name }}={{ include "gc.text" $value }}
{{- end }}
{{- if and .Values.staticMembership.enabled (ne (get .Values.kafka.properties "group.protocol" | toString) "consumer") }}
session.timeout.ms={{ .Values.staticMembership.sessionTimeoutMs | int64 }}
{{- end }}
{{- end -}}

{{- define "gc.ownProperties" -}}
{{- $common := include "gc.commonProperties" . | trim -}}
{{- $found := dict -}}
{{- if or $common .Values.staticMembership.enabled -}}
{{- $_ := set $found "kafka.properties" (printf "%s\n" $common) -}}
{{- end -}}
{{- if .Values.staticMembership.enabled -}}
{{- $name := include "gc.fullname" . -}}
{{- range $i := until (.Values.replicas | default 0 | int) -}}
{{- $text := printf "%s\ngroup.instance.id=%s-%d\n" $common $name $i -}}
{{- $_ := set $found (printf "%s-%d.properties" $name $i) ($text | trimPrefix "\n") -}}
{{- end -}}
{{- end -}}
{{- if $found -}}{{- toYaml $found -}}{{- end -}}
{{- end -}}
