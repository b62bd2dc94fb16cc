//! The configuration of traces: the standard variables, checked at start.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use messenger_runtime::{Config, config::ConfigError};

fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let usual =
        [("DATABASE_URL", "postgres://messenger@localhost/messenger"), ("ENVIRONMENT", "development")];
    let all = [&usual, variables].concat();
    Config::read(|name| all.iter().rfind(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned()))
}

/// Returns the address to which traces go; `None` if they go nowhere.
fn endpoint(variables: &[(&str, &str)]) -> Option<String> {
    let traces = read(variables).expect("the configuration is good").traces;
    traces.is_on.then_some(traces.endpoint)
}

#[test]
fn traces_go_to_the_collector_that_the_standard_variables_name() {
    let (base, whole) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    assert_eq!(endpoint(&[]), None);
    assert_eq!(endpoint(&[(base, " ")]), None);
    for url in ["http://c:4318", "http://c:4318/"] {
        assert_eq!(endpoint(&[(base, url)]).as_deref(), Some("http://c:4318/v1/traces"));
    }
    let both = [(base, "http://c:4318"), (whole, "https://d/otlp/")];
    assert_eq!(endpoint(&both).as_deref(), Some("https://d/otlp/"), "as it is");
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        assert_eq!(endpoint(&[(base, "http://c:4318"), off]), None);
    }
}

#[test]
fn a_wrong_variable_of_traces_stops_the_start_with_its_name() {
    let wrong = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "xray"),
    ];
    let problems = read(&wrong).err().map(|error| error.to_string()).unwrap_or_default();
    for (name, value) in wrong {
        assert!(problems.contains(&format!("{name} is `{value}`, must be ")), "{problems}");
    }
    for ratio in ["often", "1.5", "-0.1"] {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
        ];
        let problem = read(&variables).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            problem.ends_with(&format!("OTEL_TRACES_SAMPLER_ARG is `{ratio}`, must be a number from 0 to 1"))
        );
    }
}

#[test]
fn variables_of_other_programs_do_not_matter_without_a_collector() {
    let others = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "xray")];
    assert_eq!(endpoint(&others), None);
}
