//! The exporter of spans: OTLP over HTTP, from a thread of its own, in batches. A full queue drops spans and
//! delays no request.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    resource::EnvResourceDetector,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use uuid::Uuid;

use crate::config::TraceConfig;

/// An exporter that logs a series of failures once.
#[derive(Debug)]
struct LoggedExporter {
    exporter: OtlpExporter,
    is_failing: AtomicBool,
}

/// Starts the exporter. Sampler, headers, time limits and batches are read from the standard variables by the
/// SDK.
pub(super) fn provider(config: &TraceConfig) -> Result<SdkTracerProvider, String> {
    let exporter = OtlpExporter::builder().with_http().with_endpoint(&config.endpoint).build();
    let exporter = exporter.map_err(|error| format!("OTEL_EXPORTER_OTLP_…: {error}"))?;
    let exporter = LoggedExporter { exporter, is_failing: AtomicBool::new(false) };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(config)).build())
}

/// Returns the attributes of this process in each export. `OTEL_RESOURCE_ATTRIBUTES` replaces all but a
/// name that `OTEL_SERVICE_NAME` gives.
fn resource(config: &TraceConfig) -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name(config.program.clone())
        .with_attributes([
            KeyValue::new("service.namespace", "messenger"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ])
        .with_detector(Box::new(EnvResourceDetector::new()));
    match &config.service_name {
        Some(name) => resource.with_service_name(name.clone()).build(),
        None => resource.build(),
    }
}

impl SpanExporter for LoggedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let exported = self.exporter.export(batch).await;
        match &exported {
            Ok(()) if self.is_failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("spans are exported again");
            }
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, count, "exporting spans failed: they are lost, until the collector answers");
            }
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
