module github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckv2extension

go 1.26.4
