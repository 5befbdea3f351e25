{{/*
The environment of the service: one map of name to value, so that no name can stand there twice.
Credentials come from Secrets, as files or as variables; everything that is mounted is in one projected volume.
*/}}

{{- define "gc.folder" -}}/etc/group-consumer{{- end -}}
{{- define "gc.cacheFolder" -}}/var/cache/group-consumer{{- end -}}

{{/* Every credential that is set: a JSON list of variable, Secret, key, and file. */}}
{{- define "gc.credentials" -}}
{{- $own := include "gc.fullname" . -}}
{{- $found := list -}}
{{- with .Values.mixpanel -}}
{{- if .existingSecret -}}
{{- $found = append $found (dict "env" "MIXPANEL_TOKEN" "secret" .existingSecret "key" .tokenKey) -}}
{{- else if .token -}}
{{- $found = append $found (dict "env" "MIXPANEL_TOKEN" "secret" $own "key" "mixpanel-token") -}}
{{- end -}}
{{- if .serviceAccount.existingSecret -}}
{{- $found = append $found (dict "env" "MIXPANEL_SERVICE_ACCOUNT_SECRET" "secret" .serviceAccount.existingSecret "key" .serviceAccount.secretKey) -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.sasl -}}
{{- if .existingSecret -}}
{{- $found = append $found (dict "env" "KAFKA_SASL_PASSWORD" "secret" .existingSecret "key" .passwordKey) -}}
{{- else if .password -}}
{{- $found = append $found (dict "env" "KAFKA_SASL_PASSWORD" "secret" $own "key" "kafka-sasl-password") -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.tls -}}
{{- if and .clientSecret .privateKeyPasswordKey -}}
{{- $found = append $found (dict "env" "KAFKA_SSL_KEY_PASSWORD" "secret" .clientSecret "key" .privateKeyPasswordKey) -}}
{{- end -}}
{{- end -}}
{{- with .Values.schemaRegistry -}}
{{- if and .existingSecret .tokenKey -}}
{{- $found = append $found (dict "env" "SCHEMA_REGISTRY_TOKEN" "secret" .existingSecret "key" .tokenKey) -}}
{{- else if .existingSecret -}}
{{- $found = append $found (dict "env" "SCHEMA_REGISTRY_PASSWORD" "secret" .existingSecret "key" .passwordKey) -}}
{{- else if .token -}}
{{- $found = append $found (dict "env" "SCHEMA_REGISTRY_TOKEN" "secret" $own "key" "schema-registry-token") -}}
{{- else if .password -}}
{{- $found = append $found (dict "env" "SCHEMA_REGISTRY_PASSWORD" "secret" $own "key" "schema-registry-password") -}}
{{- end -}}
{{- if .oauth.existingSecret -}}
{{- $found = append $found (dict "env" "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET" "secret" .oauth.existingSecret "key" .oauth.clientSecretKey) -}}
{{- end -}}
{{- if .localKms.existingSecret -}}
{{- $found = append $found (dict "env" "SCHEMA_RULES_LOCAL_SECRET" "secret" .localKms.existingSecret "key" .localKms.key) -}}
{{- end -}}
{{- if and .clientSecret .privateKeyPasswordKey -}}
{{- $found = append $found (dict "env" "SCHEMA_REGISTRY_KEY_PASSWORD" "secret" .clientSecret "key" .privateKeyPasswordKey) -}}
{{- end -}}
{{- end -}}
{{- with .Values.mapping.hashKey -}}
{{- if .existingSecret -}}
{{- $found = append $found (dict "env" "MAPPING_HASH_KEY" "secret" .existingSecret "key" .key) -}}
{{- end -}}
{{- end -}}
{{- range $found -}}
{{- $_ := set . "file" (.env | lower | replace "_" "-") -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The settings: a JSON map of variable to value, a text or a `valueFrom`. */}}
{{- define "gc.settings" -}}
{{- $v := .Values -}}
{{- $texts := dict
  "KAFKA_BOOTSTRAP_SERVERS" (join "," $v.kafka.bootstrapServers)
  "KAFKA_TOPICS" (join "," $v.kafka.topics)
  "KAFKA_GROUP_ID" $v.kafka.groupId
  "KAFKA_DEAD_LETTER_TOPIC" (include "gc.deadLetterTopic" .)
  "KAFKA_SECURITY_PROTOCOL" $v.kafka.securityProtocol
  "KAFKA_SASL_MECHANISM" $v.kafka.sasl.mechanism
  "KAFKA_SASL_USERNAME" $v.kafka.sasl.username
  "SCHEMA_REGISTRY_URL" (join "," $v.schemaRegistry.urls)
  "SCHEMA_REGISTRY_USERNAME" $v.schemaRegistry.username
  "SCHEMA_REGISTRY_OAUTH_URL" $v.schemaRegistry.oauth.url
  "SCHEMA_REGISTRY_OAUTH_CLIENT_ID" $v.schemaRegistry.oauth.clientId
  "SCHEMA_REGISTRY_OAUTH_SCOPE" $v.schemaRegistry.oauth.scope
  "SCHEMA_REGISTRY_CLUSTER" $v.schemaRegistry.cluster
  "SCHEMA_REGISTRY_IDENTITY_POOL" $v.schemaRegistry.identityPool
  "SCHEMA_RULES" $v.schemaRegistry.rules
  "SCHEMA_CACHE_DIR" (ternary (include "gc.cacheFolder" .) "" $v.schemaRegistry.cache.enabled)
  "MIXPANEL_REGION" $v.mixpanel.region
  "MIXPANEL_URL" $v.mixpanel.url
  "MIXPANEL_TIMEOUT" $v.mixpanel.timeout
  "MIXPANEL_PROJECT_ID" $v.mixpanel.projectId
  "MIXPANEL_SERVICE_ACCOUNT_USERNAME" $v.mixpanel.serviceAccount.username
  "MIXPANEL_QUERY_URL" $v.mixpanel.queryUrl
  "MAX_IN_FLIGHT" ($v.mixpanel.maxInFlight | int64)
  "BATCH_MAX_UPDATES" ($v.batch.maxUpdates | int64)
  "BATCH_MAX_BYTES" $v.batch.maxBytes
  "BATCH_LINGER" $v.batch.linger
  "MAX_OPEN_RECORDS" ($v.limits.openRecords | int64)
  "MAX_OPEN_BYTES" $v.limits.openBytes
  "DRAIN_TIMEOUT" $v.drainTimeout
  "FOLD" (ternary "on" "off" $v.fold)
  "AMBIGUOUS_ADD" $v.ambiguousAdd
  "ADD_JOURNAL" $v.addJournal
  "QUARANTINE" ($v.quarantine | join "\n" | replace "," "\\,")
  "DEAD_LETTER_BREAKER" (ternary "on" "off" $v.deadLetterBreaker)
  "HTTP_PORT" ($v.httpPort | int64)
  "HTTP_HOST" $v.httpHost
  "LOG_FORMAT" $v.log.format
  "LOG_LEVEL" $v.log.level -}}
{{- $folder := include "gc.folder" . -}}
{{- range $source := include "gc.mounted" . | fromJsonArray -}}
{{- $_ := set $texts $source.env (printf "%s/%s" $folder $source.file) -}}
{{- end -}}
{{- $found := dict -}}
{{- range $name, $value := $texts -}}
{{- if ne (toString $value) "" -}}
{{- $_ := set $found $name (toString $value) -}}
{{- end -}}
{{- end -}}
{{- range $user := list
  (dict "env" "KAFKA_SASL_USERNAME" "secret" $v.kafka.sasl.existingSecret "key" $v.kafka.sasl.usernameKey)
  (dict "env" "SCHEMA_REGISTRY_USERNAME" "secret" $v.schemaRegistry.existingSecret "key" $v.schemaRegistry.usernameKey) -}}
{{- if and $user.secret $user.key -}}
{{- $_ := set $found $user.env (dict "valueFrom" (dict "secretKeyRef" (dict "name" $user.secret "key" $user.key))) -}}
{{- end -}}
{{- end -}}
{{- if eq $v.secrets.delivery "env" -}}
{{- range include "gc.credentials" . | fromJsonArray -}}
{{- $_ := set $found .env (dict "valueFrom" (dict "secretKeyRef" (dict "name" .secret "key" .key))) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* What is mounted below gc.folder: a JSON list of variable, kind, name, key, and file. */}}
{{- define "gc.mounted" -}}
{{- $own := include "gc.fullname" . -}}
{{- $found := list -}}
{{- if eq .Values.secrets.delivery "files" -}}
{{- range include "gc.credentials" . | fromJsonArray -}}
{{- $found = append $found (dict "env" (printf "%s_FILE" .env) "kind" "secret" "name" .secret "key" .key "file" .file) -}}
{{- end -}}
{{- end -}}
{{- range $ca := list (dict "env" "KAFKA_SSL_CA_LOCATION" "from" .Values.kafka.tls "file" "kafka-ca.crt")
  (dict "env" "SCHEMA_REGISTRY_CA_LOCATION" "from" .Values.schemaRegistry "file" "schema-registry-ca.crt") -}}
{{- if $ca.from.caSecret -}}
{{- $found = append $found (dict "env" $ca.env "kind" "secret" "name" $ca.from.caSecret "key" $ca.from.caKey "file" $ca.file) -}}
{{- else if $ca.from.caConfigMap -}}
{{- $found = append $found (dict "env" $ca.env "kind" "configMap" "name" $ca.from.caConfigMap "key" $ca.from.caKey "file" $ca.file) -}}
{{- end -}}
{{- end -}}
{{- range $client := list (dict "env" "KAFKA_SSL" "from" .Values.kafka.tls "file" "kafka-client")
  (dict "env" "SCHEMA_REGISTRY" "from" .Values.schemaRegistry "file" "schema-registry-client") -}}
{{- with $client.from -}}
{{- if .clientSecret -}}
{{- $found = append $found (dict "env" (printf "%s_CERTIFICATE_LOCATION" $client.env) "kind" "secret" "name" .clientSecret "key" .certificateKey "file" (printf "%s.crt" $client.file)) -}}
{{- $found = append $found (dict "env" (printf "%s_KEY_LOCATION" $client.env) "kind" "secret" "name" .clientSecret "key" .privateKeyKey "file" (printf "%s.key" $client.file)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.mixpanel.projects -}}
{{- if .existingSecret -}}
{{- $found = append $found (dict "env" "MIXPANEL_PROJECTS_FILE" "kind" "secret" "name" .existingSecret "key" .key "file" "projects.toml") -}}
{{- else if .file -}}
{{- $found = append $found (dict "env" "MIXPANEL_PROJECTS_FILE" "kind" "secret" "name" $own "key" "projects.toml" "file" "projects.toml") -}}
{{- end -}}
{{- end -}}
{{- with .Values.mapping -}}
{{- if .text -}}
{{- $found = append $found (dict "env" "MAPPING_FILE" "kind" "configMap" "name" (printf "%s-mapping" $own) "key" "mapping.toml" "file" "mapping.toml") -}}
{{- else if .existingConfigMap -}}
{{- $found = append $found (dict "env" "MAPPING_FILE" "kind" "configMap" "name" .existingConfigMap "key" .key "file" "mapping.toml") -}}
{{- end -}}
{{- end -}}
{{- if .Values.kafka.propertiesSecret.name -}}
{{- $found = append $found (dict "env" "KAFKA_PROPERTIES_FILE" "kind" "secret" "name" .Values.kafka.propertiesSecret.name "key" .Values.kafka.propertiesSecret.key "file" "kafka.properties") -}}
{{- else if .Values.staticMembership.enabled -}}
{{- $found = append $found (dict "env" "KAFKA_PROPERTIES_FILE" "kind" "configMap" "name" $own "key" "" "file" "kafka.properties") -}}
{{- else if .Values.kafka.properties -}}
{{- $found = append $found (dict "env" "KAFKA_PROPERTIES_FILE" "kind" "configMap" "name" $own "key" "kafka.properties" "file" "kafka.properties") -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The list of a container: (list root serves). POD_NAME comes first, since another refers to it; then by name. */}}
{{- define "gc.env" -}}
{{- $root := index . 0 -}}
{{- $all := include "gc.settings" $root | fromJson -}}
{{- if and (index . 1) $root.Values.staticMembership.enabled -}}
{{- $_ := set $all "KAFKA_PROPERTIES_FILE" (printf "%s/$(POD_NAME).properties" (include "gc.folder" $root)) -}}
{{- end -}}
{{- range $name, $value := $root.Values.extraEnv -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $all $name -}}
{{- else if kindIs "map" $value -}}
{{- $_ := set $all $name $value -}}
{{- else -}}
{{- $_ := set $all $name (include "gc.text" $value) -}}
{{- end -}}
{{- end -}}
{{- $_ := unset $all "POD_NAME" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- range $name, $value := $all }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A scalar as it was written: Helm reads the numbers of a values file as floats, and prints 1000000 as 1e+06. */}}
{{- define "gc.text" -}}
{{- if and (kindIs "float64" .) (eq (toString (floor .)) (toString .)) -}}{{- . | int64 -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}
