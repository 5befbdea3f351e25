{{/* KEDA's words for how to log in; it has others than librdkafka. */}}

{{- define "gc.kedaSasl" -}}
{{- get (dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512") .Values.kafka.sasl.mechanism | default "none" -}}
{{- end -}}

{{- define "gc.kedaTls" -}}
{{- ternary "enable" "disable" (hasSuffix "SSL" .Values.kafka.securityProtocol) -}}
{{- end -}}

{{/* The parameters that come from objects, as JSON; empty lists where nothing is needed or an own one is named. */}}
{{- define "gc.kedaAuthentication" -}}
{{- $secrets := list -}}
{{- $maps := list -}}
{{- $env := list -}}
{{- if not .Values.autoscaling.keda.authenticationRef -}}
{{- range include "gc.credentials" . | fromJsonArray -}}
{{- if eq .env "KAFKA_SASL_PASSWORD" -}}
{{- $secrets = append $secrets (dict "parameter" "password" "name" .secret "key" .key) -}}
{{- else if eq .env "KAFKA_SSL_KEY_PASSWORD" -}}
{{- $secrets = append $secrets (dict "parameter" "keyPassword" "name" .secret "key" .key) -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.sasl -}}
{{- if and .existingSecret .usernameKey -}}
{{- $secrets = append $secrets (dict "parameter" "username" "name" .existingSecret "key" .usernameKey) -}}
{{- else if .username -}}
{{- $env = append $env (dict "parameter" "username" "name" "KAFKA_SASL_USERNAME" "containerName" "group-consumer") -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.tls -}}
{{- if .caSecret -}}
{{- $secrets = append $secrets (dict "parameter" "ca" "name" .caSecret "key" .caKey) -}}
{{- else if .caConfigMap -}}
{{- $maps = append $maps (dict "parameter" "ca" "name" .caConfigMap "key" .caKey) -}}
{{- end -}}
{{- if .clientSecret -}}
{{- $secrets = append $secrets (dict "parameter" "cert" "name" .clientSecret "key" .certificateKey) -}}
{{- $secrets = append $secrets (dict "parameter" "key" "name" .clientSecret "key" .privateKeyKey) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $found := dict -}}
{{- if $secrets -}}{{- $_ := set $found "secretTargetRef" $secrets -}}{{- end -}}
{{- if $maps -}}{{- $_ := set $found "configMapTargetRef" $maps -}}{{- end -}}
{{- if $env -}}{{- $_ := set $found "env" $env -}}{{- end -}}
{{- toJson $found -}}
{{- end -}}
