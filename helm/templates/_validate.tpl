{{/*
What a schema cannot say, or not so that a person can read it: values that are missing, ill written, or contradict
each other. All of it at once, each with the value's name. The schema has refused unknown names and wrong types before.
*/}}
{{- define "gc.validate" -}}
{{- $problems := list -}}
{{- range list "gc.wrongForms" "gc.wrongKafka" "gc.wrongCredentials" "gc.wrongScaling" "gc.wrongPod" "gc.wrongEnv" -}}
{{- $problems = concat $problems (include . $ | fromYamlArray) -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThe values cannot work:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{/* Texts of a form: the schema would answer with a regular expression. A URL with a user in it is not repeated. */}}
{{- define "gc.wrongForms" -}}
{{- $v := .Values -}}
{{- $forms := dict
  "broker" (list `^(\[[0-9a-fA-F:.%]+\]|[^\s:/,\[\]]+):[0-9]{1,5}$` "host:port, such as kafka-1:9092")
  "topic" (list `^[a-zA-Z0-9._-]{1,249}$` "a name of letters, digits, dots, dashes and underscores, at most 249")
  "url" (list `^https?://[^\s,?#/@]+(/[^\s,?#]*)?$` "a URL that begins with http:// or https:// and has no user in it, such as https://registry:8081")
  "time" (list `^[0-9]+(\.[0-9]+)?(ms|s|m|h)$` "a time with its unit, such as 500ms, 20s or 1m")
  "span" (list `^([0-9]+(ms|s|m|h|d))+$` "a time as Prometheus has it, such as 30s, 5m or 1h30m")
  "size" (list `^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)$` "a size with its unit, such as 512KiB or 2MiB") -}}
{{- $given := list
  (list "mixpanel.timeout" "time" $v.mixpanel.timeout)
  (list "batch.linger" "time" $v.batch.linger)
  (list "drainTimeout" "time" $v.drainTimeout)
  (list "batch.maxBytes" "size" $v.batch.maxBytes)
  (list "limits.openBytes" "size" $v.limits.openBytes)
  (list "monitoring.podMonitor.interval" "span" $v.monitoring.podMonitor.interval)
  (list "monitoring.serviceMonitor.interval" "span" $v.monitoring.serviceMonitor.interval) -}}
{{- range $number, $one := $v.kafka.bootstrapServers -}}
{{- $given = append $given (list (printf "kafka.bootstrapServers[%d]" $number) "broker" $one) -}}
{{- end -}}
{{- range $number, $one := $v.kafka.topics -}}
{{- $given = append $given (list (printf "kafka.topics[%d]" $number) "topic" $one) -}}
{{- end -}}
{{- with $v.kafka.deadLetterTopic -}}
{{- $given = append $given (list "kafka.deadLetterTopic" "topic" .) -}}
{{- end -}}
{{- range $number, $one := $v.schemaRegistry.urls -}}
{{- $given = append $given (list (printf "schemaRegistry.urls[%d]" $number) "url" $one) -}}
{{- end -}}
{{- with $v.schemaRegistry.oauth.url -}}
{{- $given = append $given (list "schemaRegistry.oauth.url" "url" .) -}}
{{- end -}}
{{- with $v.mixpanel.url -}}
{{- $given = append $given (list "mixpanel.url" "url" .) -}}
{{- end -}}
{{- with $v.mixpanel.queryUrl -}}
{{- $given = append $given (list "mixpanel.queryUrl" "url" .) -}}
{{- end -}}
{{- range $name, $alert := $v.monitoring.rules.alerts -}}
{{- with ($alert | default dict).for -}}
{{- $given = append $given (list (printf "monitoring.rules.alerts.%s.for" $name) "span" .) -}}
{{- end -}}
{{- end -}}
{{- range $given -}}
{{- $value := index . 2 -}}
{{- $form := get $forms (index . 1) -}}
{{- if not (regexMatch (index $form 0) $value) }}
- {{ printf "%s%s must be %s" (index . 0) (ternary "" (printf " is %q, and" $value) (contains "@" $value)) (index $form 1) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "gc.wrongKafka" -}}
{{- $kafka := .Values.kafka -}}
{{- $protocol := $kafka.securityProtocol | default "PLAINTEXT" -}}
{{- if not $kafka.bootstrapServers }}
- "kafka.bootstrapServers is required: the brokers, such as {kafka-1:9092,kafka-2:9092}"
{{- end }}
{{- if not .Values.schemaRegistry.urls }}
- "schemaRegistry.urls is required: the schema registries, such as {http://schema-registry:8081}"
{{- end }}
{{- if has (include "gc.deadLetterTopic" .) $kafka.topics }}
- "kafka.deadLetterTopic is {{ include "gc.deadLetterTopic" . }}, which kafka.topics names too: a dead letter would be read again"
{{- end }}
{{- if and $kafka.sasl.mechanism (not (hasPrefix "SASL" $protocol)) }}
- "kafka.sasl.mechanism needs kafka.securityProtocol SASL_SSL or SASL_PLAINTEXT; it is {{ $protocol }}"
{{- end }}
{{- if and (hasPrefix "SASL" $protocol) (not $kafka.sasl.mechanism) }}
- "kafka.securityProtocol {{ $protocol }} needs kafka.sasl.mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM"
{{- end }}
{{- if and (not (hasSuffix "SSL" $protocol)) (or $kafka.tls.caSecret $kafka.tls.caConfigMap $kafka.tls.clientSecret) }}
- "kafka.tls needs kafka.securityProtocol SSL or SASL_SSL; it is {{ $protocol }}"
{{- end }}
{{- if and $kafka.properties $kafka.propertiesSecret.name }}
- "kafka.properties and kafka.propertiesSecret.name exclude each other: put all properties into the Secret"
{{- end }}
{{- $elsewhere := dict "bootstrap.servers" "kafka.bootstrapServers" "metadata.broker.list" "kafka.bootstrapServers" "group.id" "kafka.groupId"
  "group.instance.id" "staticMembership.enabled" "security.protocol" "kafka.securityProtocol" "sasl.mechanism" "kafka.sasl.mechanism"
  "sasl.mechanisms" "kafka.sasl.mechanism" "sasl.username" "kafka.sasl.username" "sasl.password" "kafka.sasl.existingSecret"
  "ssl.ca.location" "kafka.tls.caSecret" "ssl.certificate.location" "kafka.tls.clientSecret" "ssl.key.location" "kafka.tls.clientSecret"
  "ssl.key.password" "kafka.tls.privateKeyPasswordKey" "sasl.oauthbearer.client.secret" "kafka.propertiesSecret.name" }}
{{- if .Values.staticMembership.enabled }}
{{- $_ := set $elsewhere "session.timeout.ms" "staticMembership.sessionTimeoutMs" }}
{{- end }}
{{- range $name, $value := $kafka.properties }}
{{- if hasKey $elsewhere $name }}
- {{ printf "kafka.properties.%s: use %s" $name (get $elsewhere $name) | quote }}
{{- else if and (regexMatch (include "gc.secretProperty" $) $name) (not (has $name (list "ssl.ca.pem" "ssl.certificate.pem"))) }}
- {{ printf "kafka.properties.%s is a secret, and a ConfigMap keeps none: put all properties into a Secret, and name it by kafka.propertiesSecret.name" $name | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Properties that hold a secret, by name: the service hides the values of the same ones. */}}
{{- define "gc.secretProperty" -}}
password|passphrase|secret|jaas|\.pem$|^sasl\.oauthbearer\.(config|extensions)$|^ssl_key$
{{- end -}}

{{- define "gc.wrongCredentials" -}}
{{- $v := .Values -}}
{{- $sasl := $v.kafka.sasl -}}
{{- $projects := $v.mixpanel.projects -}}
{{- if not (or $v.mixpanel.token $v.mixpanel.existingSecret $projects.existingSecret $projects.file) }}
- "mixpanel.existingSecret (or for a trial mixpanel.token) is required: the project token"
{{- end }}
{{- if and $v.mixpanel.token $v.mixpanel.existingSecret }}
- "mixpanel.token and mixpanel.existingSecret exclude each other"
{{- end }}
{{- if and $projects.file $projects.existingSecret }}
- "mixpanel.projects.file and mixpanel.projects.existingSecret exclude each other"
{{- end }}
{{- $account := $v.mixpanel.serviceAccount -}}
{{- if ne (empty $account.username) (empty $account.existingSecret) }}
- "mixpanel.serviceAccount.username and mixpanel.serviceAccount.existingSecret need each other"
{{- end }}
{{- if and $v.tests.canaryProject (not $v.tests.canary) }}
- "tests.canaryProject needs tests.canary: the group key of the profile that is written"
{{- end }}
{{- if and $v.tests.canaryProject (not (or $projects.existingSecret $projects.file)) }}
- "tests.canaryProject needs mixpanel.projects: the file that has the project"
{{- end }}
{{- if and $v.tests.canary (not $v.tests.canaryProject) (or (not $v.mixpanel.projectId) (not $account.existingSecret)) }}
- "tests.canary needs mixpanel.projectId and mixpanel.serviceAccount: the profile is read back"
{{- end }}
{{- if and $sasl.password $sasl.existingSecret }}
- "kafka.sasl.password and kafka.sasl.existingSecret exclude each other"
{{- end }}
{{- if and $sasl.username $sasl.existingSecret $sasl.usernameKey }}
- "kafka.sasl.username and kafka.sasl.usernameKey exclude each other"
{{- end }}
{{- if and $sasl.usernameKey (not $sasl.existingSecret) }}
- "kafka.sasl.usernameKey needs kafka.sasl.existingSecret"
{{- end }}
{{- if and $sasl.mechanism (not (has $sasl.mechanism (list "OAUTHBEARER" "AWS_MSK_IAM"))) (not (or $sasl.username $sasl.usernameKey)) (not $v.kafka.propertiesSecret.name) }}
- "kafka.sasl.mechanism {{ $sasl.mechanism }} needs kafka.sasl.username or kafka.sasl.usernameKey"
{{- end }}
{{- if and $sasl.mechanism (not (has $sasl.mechanism (list "OAUTHBEARER" "AWS_MSK_IAM"))) (not (or $sasl.password $sasl.existingSecret)) (not $v.kafka.propertiesSecret.name) }}
- "kafka.sasl.mechanism {{ $sasl.mechanism }} needs kafka.sasl.existingSecret (or for a trial kafka.sasl.password)"
{{- end }}
{{- if and (not $sasl.mechanism) (or $sasl.username $sasl.password $sasl.existingSecret) }}
- "kafka.sasl.username, kafka.sasl.password and kafka.sasl.existingSecret need kafka.sasl.mechanism"
{{- end }}
{{- range $name, $from := dict "kafka.tls" $v.kafka.tls "schemaRegistry" $v.schemaRegistry }}
{{- if and $from.caSecret $from.caConfigMap }}
- "{{ $name }}.caSecret and {{ $name }}.caConfigMap exclude each other"
{{- end }}
{{- end }}
{{- range $name, $from := dict "kafka.tls" $v.kafka.tls "schemaRegistry" $v.schemaRegistry }}
{{- if and $from.privateKeyPasswordKey (not $from.clientSecret) }}
- "{{ $name }}.privateKeyPasswordKey needs {{ $name }}.clientSecret"
{{- end }}
{{- end }}
{{- with $v.schemaRegistry }}
{{- if and .existingSecret (or .password .token) }}
- "schemaRegistry.existingSecret excludes schemaRegistry.password and schemaRegistry.token"
{{- end }}
{{- if and (or .token .tokenKey) (or .username .usernameKey .password) }}
- "schemaRegistry.token and schemaRegistry.tokenKey exclude a user name and a password"
{{- end }}
{{- if and (or .usernameKey .tokenKey) (not .existingSecret) }}
- "schemaRegistry.usernameKey and schemaRegistry.tokenKey need schemaRegistry.existingSecret"
{{- end }}
{{- if and .username .existingSecret .usernameKey }}
- "schemaRegistry.username and schemaRegistry.usernameKey exclude each other"
{{- end }}
{{- if and .existingSecret (not .tokenKey) (not .username) (not .usernameKey) }}
- "schemaRegistry.existingSecret has a password by schemaRegistry.passwordKey: name its user by schemaRegistry.username or usernameKey, or set schemaRegistry.tokenKey"
{{- end }}
{{- if and .password (not .username) }}
- "schemaRegistry.password needs schemaRegistry.username"
{{- end }}
{{- if and (or .oauth.url .oauth.clientId .oauth.existingSecret .oauth.scope) (not (and .oauth.url .oauth.clientId .oauth.existingSecret)) }}
- "schemaRegistry.oauth needs url, clientId and existingSecret"
{{- end }}
{{- if and .oauth.url (or .username .usernameKey .password .token .existingSecret) }}
- "schemaRegistry.oauth excludes a user name, a password and a token"
{{- end }}
{{- if and (or .cluster .identityPool) (not (or .token .tokenKey .oauth.url)) }}
- "schemaRegistry.cluster and schemaRegistry.identityPool need a token: schemaRegistry.tokenKey or schemaRegistry.oauth"
{{- end }}
{{- if and .username (not (or .password .existingSecret)) }}
- "schemaRegistry.username needs schemaRegistry.existingSecret (or for a trial schemaRegistry.password)"
{{- end }}
{{- end }}
{{- end -}}

{{- define "gc.wrongScaling" -}}
{{- $v := .Values -}}
{{- $scale := $v.autoscaling -}}
{{- $keda := $scale.keda -}}
{{- if $scale.mode }}
{{- if gt ($scale.minReplicas | int) ($scale.maxReplicas | int) }}
- "autoscaling.minReplicas ({{ $scale.minReplicas }}) is above autoscaling.maxReplicas ({{ $scale.maxReplicas }})"
{{- end }}
{{- if and $scale.partitions (gt ($scale.maxReplicas | int) ($scale.partitions | int)) }}
- "autoscaling.maxReplicas ({{ $scale.maxReplicas }}) is above autoscaling.partitions ({{ $scale.partitions }}): the pods beyond would own no partition"
{{- end }}
{{- if $v.staticMembership.enabled }}
- "staticMembership.enabled and autoscaling.mode exclude each other: a static member that is scaled away keeps its partitions until its session ends"
{{- end }}
{{- end }}
{{- if and $v.staticMembership.enabled (kindIs "invalid" $v.replicas) }}
- "staticMembership.enabled needs replicas: each pod has a properties file of its own"
{{- end }}
{{- if eq $scale.mode "hpa" }}
{{- if not $scale.partitions }}
- "autoscaling.partitions is required with autoscaling.mode hpa, which cannot see how many there are"
{{- end }}
{{- if lt ($scale.minReplicas | int) 1 }}
- "autoscaling.minReplicas must be at least 1 with autoscaling.mode hpa"
{{- end }}
{{- range $scale.hpa.metrics }}
{{- if eq .type "Resource" }}
{{- if not (hasKey ($v.resources.requests | default dict) .resource.name) }}
- "autoscaling.hpa.metrics asks for {{ .resource.name }}: set resources.requests.{{ .resource.name }}"
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq $scale.mode "keda" }}
{{- if and $keda.limitToPartitionsWithLag $keda.ensureEvenDistributionOfPartitions }}
- "autoscaling.keda.limitToPartitionsWithLag and autoscaling.keda.ensureEvenDistributionOfPartitions exclude each other"
{{- end }}
{{- if and (has $v.kafka.sasl.mechanism (list "OAUTHBEARER" "AWS_MSK_IAM")) (not $keda.authenticationRef) }}
- "autoscaling.keda.authenticationRef is required with kafka.sasl.mechanism {{ $v.kafka.sasl.mechanism }}: KEDA has parameters of its own for it"
{{- end }}
{{- if and $v.kafka.propertiesSecret.name (not $keda.authenticationRef) }}
{{- $login := $v.kafka.sasl }}
{{- if not $v.kafka.securityProtocol }}
- "kafka.securityProtocol is required with autoscaling.mode keda and kafka.propertiesSecret: KEDA does not read that Secret, and would ask in plain text (say PLAINTEXT if that is right)"
{{- else if and (hasPrefix "SASL" $v.kafka.securityProtocol) (not (has $login.mechanism (list "OAUTHBEARER" "AWS_MSK_IAM"))) (not (and (or $login.username $login.usernameKey) (or $login.password $login.existingSecret))) }}
- "autoscaling.keda.authenticationRef is required where the credentials are in kafka.propertiesSecret"
{{- end }}
{{- end }}
{{- if gt ($keda.fallback.replicas | int) ($scale.maxReplicas | int) }}
- "autoscaling.keda.fallback.replicas ({{ $keda.fallback.replicas }}) is above autoscaling.maxReplicas ({{ $scale.maxReplicas }})"
{{- end }}
{{- end }}
{{- end -}}

{{- define "gc.wrongPod" -}}
{{- $v := .Values -}}
{{- $drain := include "gc.seconds" $v.drainTimeout | int64 -}}
{{- if not (kindIs "invalid" $v.terminationGracePeriodSeconds) }}
{{- if lt ($v.terminationGracePeriodSeconds | int64) (add $drain 5) }}
- "terminationGracePeriodSeconds ({{ $v.terminationGracePeriodSeconds }}) must be at least 5 above drainTimeout ({{ $v.drainTimeout }}), or a drain is cut off"
{{- end }}
{{- end }}
{{- include "gc.wrongBudget" . }}
{{- with $v.monitoring }}
{{- if and .podMonitor.enabled .serviceMonitor.enabled }}
- "monitoring.podMonitor.enabled and monitoring.serviceMonitor.enabled exclude each other: every sample would count twice"
{{- end }}
{{- $known := include "gc.alerts" $ | fromYaml }}
{{- range $name, $_ := .rules.alerts }}
{{- if not (hasKey $known $name) }}
- "monitoring.rules.alerts.{{ $name }} is no alert; there are {{ keys $known | sortAlpha | join ", " }}"
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A budget that lets no pod go: the drain of a node would wait for ever. */}}
{{- define "gc.wrongBudget" -}}
{{- $v := .Values -}}
{{- $budget := $v.podDisruptionBudget -}}
{{- $scaled := has $v.autoscaling.mode (list "keda" "hpa") -}}
{{- $pods := ternary $v.autoscaling.minReplicas $v.replicas $scaled | default 0 | int64 -}}
{{- if eq $v.autoscaling.mode "external" }}{{ $pods = 0 }}{{ end -}}
{{- if $budget.enabled }}
{{- if kindIs "invalid" $budget.minAvailable }}
{{- if eq (toString $budget.maxUnavailable | trimSuffix "%" | int64) 0 }}
- "podDisruptionBudget.maxUnavailable is {{ $budget.maxUnavailable }}: no node could be drained; let one pod go, or set podDisruptionBudget.enabled to false"
{{- end }}
{{- else }}
{{- $text := toString $budget.minAvailable }}
{{- $least := $text | trimSuffix "%" | int64 }}
{{- $all := and $pods (ge $least $pods) }}
{{- if hasSuffix "%" $text }}
{{- $all = or (ge $least 100) (and $pods (ge (divf (mulf $least $pods) 100 | ceil | int64) $pods)) }}
{{- end }}
{{- if $all }}
- "podDisruptionBudget.minAvailable is {{ $text }}{{ if $pods }}, and there {{ ternary "is 1 pod" (printf "are %d pods" $pods) (eq $pods 1) }}{{ if $scaled }} at least{{ end }}{{ end }}: no node could be drained; lower it, or use podDisruptionBudget.maxUnavailable"
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "gc.wrongEnv" -}}
{{- $valueOf := include "gc.valueOf" . | fromYaml -}}
{{- range $name, $value := .Values.extraEnv }}
{{- $plain := trimSuffix "_FILE" $name }}
{{- $value := get $valueOf $name | default (get $valueOf $plain) }}
{{- if $value }}
- "extraEnv.{{ $name }}: use {{ $value }}"
{{- else if eq $name "POD_NAME" }}
- "extraEnv.POD_NAME is the chart's own"
{{- end }}
{{- end }}
{{- end -}}
