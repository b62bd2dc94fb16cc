//! The variables `OTEL_…` ([OpenTelemetry, Environment Variable
//! Specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/)).
//!
//! The SDK reads most of them itself and passes over wrong values. They are checked here, so that a wrong one
//! stops the start.

use std::env::current_exe;

use super::Env;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const SAMPLERS: [&str; 6] = [
    "parentbased_always_on",
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_off",
    "parentbased_traceidratio",
];
/// The name of every binary on Lambda.
const LAMBDA_BINARY: &str = "bootstrap";

/// The export of traces.
#[derive(Debug, Clone)]
pub struct TraceConfig {
    /// Whether traces are exported: a collector is named, and nothing switches them off.
    pub is_on: bool,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces`.
    pub endpoint: String,
    /// `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
    /// The name of this program, or of the function on Lambda.
    pub program: String,
}

impl TraceConfig {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        let endpoint = if env.optional(TRACES_ENDPOINT).is_some() {
            env.url(TRACES_ENDPOINT, "");
            // A whole URL is used as it is.
            env.text(TRACES_ENDPOINT, "")
        } else if env.optional(ENDPOINT).is_some() {
            format!("{}/v1/traces", env.url(ENDPOINT, ""))
        } else {
            String::new()
        };
        let is_on = !endpoint.is_empty()
            && env.choice("OTEL_SDK_DISABLED", &["false", "true"]) == "false"
            && env.choice("OTEL_TRACES_EXPORTER", &["otlp", "none"]) == "otlp";
        if is_on {
            env.choice("OTEL_EXPORTER_OTLP_PROTOCOL", &["http/protobuf"]);
            env.choice("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", &["http/protobuf"]);
            if env.choice("OTEL_TRACES_SAMPLER", &SAMPLERS).ends_with("traceidratio") {
                env.ratio("OTEL_TRACES_SAMPLER_ARG");
            }
        }
        let service_name = env.optional("OTEL_SERVICE_NAME");
        let program = env.program();
        Self { is_on, endpoint, service_name, program }
    }
}

impl Env<'_> {
    fn ratio(&mut self, name: &str) {
        let value = self.text(name, "1");
        if !value.parse::<f64>().is_ok_and(|ratio| (0.0..=1.0).contains(&ratio)) {
            self.problems.push(format!("{name} is `{value}`, must be a number from 0 to 1"));
        }
    }

    fn program(&self) -> String {
        let path = current_exe().unwrap_or_default();
        match path.file_name().and_then(|name| name.to_str()) {
            Some(LAMBDA_BINARY) | None => self.text("AWS_LAMBDA_FUNCTION_NAME", "messenger"),
            Some(name) => name.to_owned(),
        }
    }
}
